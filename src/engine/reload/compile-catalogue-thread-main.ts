import assert from 'node:assert/strict';
import { parentPort, workerData } from 'node:worker_threads';
import { prepareCatalogue } from '../../rating/prepared-catalogue.ts';
import { compileCatalogue } from './compile-catalogue.ts';
import type { CompileAnswer, CompileRequest } from './compile-catalogue-thread.ts';
import { packCatalogue } from './packed-catalogue.ts';

assert(parentPort, 'started by compileInThread');

const { path, before, form } = workerData as CompileRequest;
const compiled = await compileCatalogue(path, before);
const answer: CompileAnswer =
  compiled.faults !== undefined
    ? compiled
    : {
        ...compiled,
        catalogue:
          form === 'whole' ? packCatalogue(compiled.catalogue) : packCatalogue(prepareCatalogue(compiled.catalogue)),
      };
parentPort.postMessage(answer);
