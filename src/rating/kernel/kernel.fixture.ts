import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packagePath } from '../../platform/package-paths.ts';
import { admissionKernel } from '../admission-kernel.ts';
import type { Decoder } from '../flow-record.ts';
import { incoming } from '../incoming.ts';
import { PLAIN_RULES } from '../record/record-limits.ts';
import { type KernelName, kernelPath } from './load-kernel.ts';

/** Whether the kernel reads a record, rather than leaves it to the long way. */
export function isReadByKernel(decode: Decoder, value: Uint8Array): boolean {
  const kernel = admissionKernel();
  kernel.load([incoming(value)], 0, { decode, keyedByMsisdn: false, rules: PLAIN_RULES, bookingDay: 0 });
  return kernel.read(0, 1, Number.POSITIVE_INFINITY) === 1;
}

/** How often a property of the kernel is tried, and from which seed: KERNEL_FUZZ_RUNS, KERNEL_FUZZ_SEED. The seed is printed. */
export function fuzzing(): { numRuns: number; seed: number } {
  const seed = Number(process.env.KERNEL_FUZZ_SEED ?? Math.floor(Math.random() * 2 ** 31));
  process.stdout.write(`fuzzed with KERNEL_FUZZ_SEED=${seed}\n`);
  return { numRuns: Number(process.env.KERNEL_FUZZ_RUNS ?? 300), seed };
}

/** Whether a kernel's code is what its sources give now: built again, octet by octet. `folder` has its `asconfig.json`. */
export function isBuiltFromSources(name: KernelName, folder: string): boolean {
  const directory = mkdtempSync(join(tmpdir(), 'zerorate-kernel-'));
  try {
    const outFile = join(directory, 'kernel.wasm');
    const args = [
      'node_modules/assemblyscript/bin/asc.js',
      '--config',
      `${folder}/asconfig.json`,
      '--outFile',
      outFile,
    ];
    execFileSync(process.execPath, args, { cwd: packagePath('.') });
    return readFileSync(outFile).equals(readFileSync(kernelPath(name)));
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
