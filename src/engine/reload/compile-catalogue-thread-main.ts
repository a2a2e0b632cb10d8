import assert from 'node:assert/strict';
import { once } from 'node:events';
import { parentPort, workerData } from 'node:worker_threads';
import { compileCatalogue } from './compile-catalogue.ts';
import type { CompileAnswer, CompileRequest } from './compile-catalogue-thread.ts';

/** Entries of a part of a catalogue, which takes a few milliseconds to read. */
const ENTRIES_A_PART = 1000;

assert(parentPort, 'started by compileInThread');
const port = parentPort;

const { path, before } = workerData as CompileRequest;
const { catalogue, prefixMaps, faults, files } = await compileCatalogue(path, before);
if (faults !== undefined) {
  port.postMessage({ kind: 'faults', faults, files } satisfies CompileAnswer);
} else {
  const { applications, plans, ...head } = catalogue;
  const words = prefixMaps.words.buffer as ArrayBuffer;
  port.postMessage({ kind: 'head', head, prefixMaps, files } satisfies CompileAnswer, [words]);
  for (const part of partsOf(applications, ({ prefixes }) => prefixes.length)) {
    await send({ kind: 'applications', applications: part });
  }
  for (const part of partsOf(plans, ({ tiers }) => tiers.length)) await send({ kind: 'plans', plans: part });
  await send({ kind: 'end' });
}

function* partsOf<T>(entries: readonly T[], innerEntries: (entry: T) => number): Generator<T[]> {
  let part: T[] = [];
  let size = 0;
  for (const entry of entries) {
    part.push(entry);
    size += 1 + innerEntries(entry);
    if (size < ENTRIES_A_PART) continue;
    yield part;
    part = [];
    size = 0;
  }
  if (part.length > 0) yield part;
}

async function send(answer: CompileAnswer): Promise<void> {
  await once(port, 'message');
  port.postMessage(answer);
}
