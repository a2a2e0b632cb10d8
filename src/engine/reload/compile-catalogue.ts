import { type FileVersions, loadCatalogue } from '../../evidence/catalogue-file.ts';
import { formatFault } from '../../formats/document-fault.ts';
import type { CountedPlans } from '../../rating/catalogue/catalogue-succession-faults.ts';
import type { Catalogue } from '../../rating/catalogue.ts';
import { prefixMapsOf } from '../../rating/classify.ts';
import type { WordMaps } from '../../rating/word-maps.ts';

/** A catalogue and the look-up maps of its prefixes, or all faults of its files, a line each. */
export type CompiledCatalogue = (
  | { catalogue: Catalogue; prefixMaps: WordMaps; faults?: undefined }
  | { catalogue?: undefined; prefixMaps?: undefined; faults: readonly string[] }
) & {
  /** The catalogue's file and its parts, as they were read; absent where nothing was read. */
  files?: FileVersions | undefined;
};

/**
 * Compiles a catalogue file. `before`: how plans have counted under the catalogues before this one. `signal` aborts the
 * work.
 */
export type CompileCatalogue = (path: string, before: CountedPlans, signal: AbortSignal) => Promise<CompiledCatalogue>;

/** Reads and compiles a catalogue file and its parts; see parseCatalogue. Never rejects. */
export async function compileCatalogue(path: string, before: CountedPlans): Promise<CompiledCatalogue> {
  const { catalogue, faults, files } = loadCatalogue(path, { before });
  if (faults !== undefined) return { faults: faults.map(formatFault), files };
  return { catalogue, prefixMaps: prefixMapsOf(catalogue), files };
}
