import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

/** What is used of WebAssembly: TypeScript declares it for browsers only. */
interface WebAssemblyApi {
  Module: new (code: Uint8Array) => object;
  Instance: new (module: object) => { readonly exports: object };
}

/** The kernels, as `package.json` names their code. */
export type KernelName = '#admission-kernel' | '#quota-kernel';

const { Module, Instance } = (globalThis as unknown as { WebAssembly: WebAssemblyApi }).WebAssembly;
const compiled = new Map<KernelName, object>();

/** Returns the path of a kernel's code, wherever this runs. Throws where it was not built. */
export function kernelPath(name: KernelName): string {
  try {
    return createRequire(import.meta.url).resolve(name);
  } catch (cause) {
    throw new Error(`the kernel ${name} is not built: run npm run build`, { cause });
  }
}

/** Returns a kernel with a memory of its own. Its code is compiled once a thread. */
export function loadKernel<Exports>(name: KernelName): Exports {
  const module = compiled.get(name) ?? new Module(readFileSync(kernelPath(name)));
  compiled.set(name, module);
  return new Instance(module).exports as Exports;
}
