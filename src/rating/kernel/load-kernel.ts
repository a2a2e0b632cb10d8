import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

/** What the kernel exports. Addresses and numbers are those of regions.ts. */
export interface KernelExports {
  readonly memory: { readonly buffer: ArrayBuffer };
  /** Reads rows into the columns, and returns the first that it did not read. */
  readRows(from: number, to: number, usageRoom: number): number;
  forgetTexts(): void;
}

/** What is used of WebAssembly: TypeScript declares it for browsers only. */
interface WebAssemblyApi {
  Module: new (code: Uint8Array) => object;
  Instance: new (module: object) => { readonly exports: object };
}

const { Module, Instance } = (globalThis as unknown as { WebAssembly: WebAssemblyApi }).WebAssembly;
let compiled: object | undefined;

/** Returns the path of the kernel's code, wherever this runs: `package.json` names it. Throws where it was not built. */
export function kernelPath(): string {
  try {
    return createRequire(import.meta.url).resolve('#admission-kernel');
  } catch (cause) {
    throw new Error('the admission kernel is not built: run npm run build', { cause });
  }
}

/** Returns the kernel with a memory of its own. Its code is compiled once a thread. */
export function loadKernel(): KernelExports {
  compiled ??= new Module(readFileSync(kernelPath()));
  return new Instance(compiled).exports as KernelExports;
}
