import { readFile } from 'node:fs/promises';
import type { Catalogue } from '../billing/catalogue.ts';
import { parseCatalogue } from '../billing/catalogue-compile.ts';
import type { CountedPlans } from '../billing/catalogue-succession-faults.ts';
import { prefixMapsOf } from '../billing/classify.ts';
import type { WordMaps } from '../billing/word-maps.ts';
import { formatFault } from '../yaml-document/document-fault.ts';

/** A catalogue and the look-up maps of its prefixes, or everything that is wrong with its file, a line each. */
export type CompiledCatalogue =
  | { catalogue: Catalogue; prefixMaps: WordMaps; faults?: undefined }
  | { catalogue?: undefined; prefixMaps?: undefined; faults: readonly string[] };

/** `before`: what plans have counted under the catalogues that this one takes over from. `signal` gives the work up. */
export type CompileCatalogue = (path: string, before: CountedPlans, signal: AbortSignal) => Promise<CompiledCatalogue>;

/** Reads and compiles a catalogue file; see parseCatalogue. Never rejects. */
export async function compileCatalogue(path: string, before: CountedPlans): Promise<CompiledCatalogue> {
  const text = await readFile(path, 'utf8').catch((error: Error) => error);
  if (text instanceof Error) return { faults: [`${path}: cannot be read: ${text.message}`] };
  const { catalogue, faults } = parseCatalogue(text, path, before);
  if (faults !== undefined) return { faults: faults.map(formatFault) };
  return { catalogue, prefixMaps: prefixMapsOf(catalogue) };
}
