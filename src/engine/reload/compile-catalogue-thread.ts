import { once } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import type { FileVersions } from '../../evidence/catalogue-file.ts';
import type { CountedPlans } from '../../rating/catalogue/catalogue-succession-faults.ts';
import type { Application, Catalogue, Plan } from '../../rating/catalogue.ts';
import type { WordMaps } from '../../rating/word-maps.ts';
import type { CompileCatalogue } from './compile-catalogue.ts';

/** The request to the thread. */
export interface CompileRequest {
  path: string;
  before: CountedPlans;
}

/**
 * The answer of the thread: faults, or a catalogue in parts, each requested by itself. Reading a whole one from the thread's
 * copy would block this thread for a tenth of a second.
 */
export type CompileAnswer =
  | { kind: 'faults'; faults: readonly string[]; files: FileVersions | undefined }
  | {
      kind: 'head';
      head: Omit<Catalogue, 'applications' | 'plans'>;
      prefixMaps: WordMaps;
      files: FileVersions | undefined;
    }
  | { kind: 'applications'; applications: readonly Application[] }
  | { kind: 'plans'; plans: readonly Plan[] }
  | { kind: 'end' };

const PROGRAM = new URL('./compile-catalogue-thread-main.js', import.meta.url);

/**
 * Returns a CompileCatalogue that works in its own thread: a catalogue of 100,000 prefixes and 10,000 plans takes seconds,
 * in which this thread would read no record. `program` is the thread's module, where that is not beside this one.
 */
export function compileInThread(program: string | URL = PROGRAM): CompileCatalogue {
  return async (path, before, signal) => {
    const worker = new Worker(program, { workerData: { path, before } satisfies CompileRequest });
    try {
      return await gather(worker, signal);
    } catch (error) {
      return { faults: [`${path}: cannot be compiled: ${(error as Error).message}`] };
    } finally {
      await worker.terminate();
    }
  };
}

async function gather(worker: Worker, signal: AbortSignal): ReturnType<CompileCatalogue> {
  const applications: Application[] = [];
  const plans: Plan[] = [];
  let head: Extract<CompileAnswer, { kind: 'head' }> | null = null;
  for (;;) {
    const [answer] = (await once(worker, 'message', { signal })) as [CompileAnswer];
    if (answer.kind === 'faults') return { faults: answer.faults, files: answer.files };
    if (answer.kind === 'head') head = answer;
    if (answer.kind === 'applications') applications.push(...answer.applications);
    if (answer.kind === 'plans') plans.push(...answer.plans);
    if (answer.kind === 'end' && head !== null) {
      const { prefixMaps, head: rest } = head;
      return { catalogue: { ...rest, applications, plans }, prefixMaps, files: head.files };
    }
    await nextTurn();
    worker.postMessage('more');
  }
}
