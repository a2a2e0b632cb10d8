import { readFile } from 'node:fs/promises';
import { formatFault } from '../../formats/document-fault.ts';
import { parseCatalogue } from '../../rating/catalogue/catalogue-compile.ts';
import type { CountedPlans } from '../../rating/catalogue/catalogue-succession-faults.ts';
import type { Catalogue } from '../../rating/catalogue.ts';
import { prefixMapsOf } from '../../rating/classify.ts';
import type { WordMaps } from '../../rating/word-maps.ts';

/** A catalogue and the look-up maps of its prefixes, or all faults of its file, a line each. */
export type CompiledCatalogue =
  | { catalogue: Catalogue; prefixMaps: WordMaps; faults?: undefined }
  | { catalogue?: undefined; prefixMaps?: undefined; faults: readonly string[] };

/**
 * Compiles a catalogue file. `before`: how plans have counted under the catalogues before this one. `signal` aborts the
 * work.
 */
export type CompileCatalogue = (path: string, before: CountedPlans, signal: AbortSignal) => Promise<CompiledCatalogue>;

/** Reads and compiles a catalogue file; see parseCatalogue. Never rejects. */
export async function compileCatalogue(path: string, before: CountedPlans): Promise<CompiledCatalogue> {
  const text = await readFile(path, 'utf8').catch((error: Error) => error);
  if (text instanceof Error) return { faults: [`${path}: cannot be read: ${text.message}`] };
  const { catalogue, faults } = parseCatalogue(text, path, before);
  if (faults !== undefined) return { faults: faults.map(formatFault) };
  return { catalogue, prefixMaps: prefixMapsOf(catalogue) };
}
