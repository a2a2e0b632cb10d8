import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { Catalogue, CatalogueTerms } from '../../rating/catalogue.ts';
import type { PreparedCatalogue } from '../../rating/prepared-catalogue.ts';
import type { CompileCatalogue, Compiled, PackedCounts } from './compile-catalogue.ts';
import { type PackedCatalogue, unpackCatalogue } from './packed-catalogue.ts';

/** The request to the thread. */
export interface CompileRequest {
  path: string;
  before: PackedCounts;
  /** With all claims as the file has them, or prepared for an engine. */
  form: 'whole' | 'prepared';
}

/** The answer of the thread. */
export type CompileAnswer = Compiled<PackedCatalogue<Catalogue> | PackedCatalogue<PreparedCatalogue>>;

const PROGRAM = new URL('./compile-catalogue-thread-main.js', import.meta.url);

/**
 * Returns a CompileCatalogue that works in its own thread: a catalogue of 100,000 prefixes and 10,000 plans takes seconds,
 * in which this thread would read no record. What it gives is in shared memory. `program` is the thread's module, where that is not
 * beside this one.
 */
export function compileInThread(program: string | URL = PROGRAM): CompileCatalogue<PackedCatalogue> {
  return (path, before, signal) => compiled<PreparedCatalogue>(program, { path, before, form: 'prepared' }, signal);
}

/** The same for one who asks for the claims too. */
export function compileWholeInThread(program: string | URL = PROGRAM): CompileCatalogue<Catalogue> {
  return async (path, before, signal) => {
    const answer = await compiled<Catalogue>(program, { path, before, form: 'whole' }, signal);
    return answer.faults === undefined ? { ...answer, catalogue: await unpackCatalogue(answer.catalogue) } : answer;
  };
}

async function compiled<C extends CatalogueTerms>(
  program: string | URL,
  request: CompileRequest,
  signal: AbortSignal,
): Promise<Compiled<PackedCatalogue<C>>> {
  const worker = new Worker(program, { workerData: request });
  try {
    const [answer] = await once(worker, 'message', { signal });
    return answer as Compiled<PackedCatalogue<C>>;
  } catch (error) {
    return { faults: [`${request.path}: cannot be compiled: ${(error as Error).message}`] };
  } finally {
    await worker.terminate();
  }
}
