import { type FileVersions, loadCatalogue } from '../../evidence/catalogue-file.ts';
import { formatFault } from '../../formats/document-fault.ts';
import { type CountedPlans, countedPlans } from '../../rating/catalogue/catalogue-succession-faults.ts';
import type { Catalogue } from '../../rating/catalogue.ts';
import { packed, unpacked } from './packed-catalogue.ts';

/** `CountedPlans`, packed: a thread that takes records passes it on and does not read it. */
export type PackedCounts = Uint8Array;

/** `before`: how plans have counted in the store. */
export function packCounts(
  catalogue: Parameters<typeof countedPlans>[0],
  before: CountedPlans = new Map(),
): PackedCounts {
  return packed(new Map([...before, ...countedPlans(catalogue)]));
}

/** A catalogue, or all faults of its files, a line each. */
export type Compiled<C> = (
  | {
      catalogue: C;
      /** How plans have counted under this catalogue and all before it. */
      counted: PackedCounts;
      faults?: undefined;
    }
  | { catalogue?: undefined; faults: readonly string[] }
) & {
  /** The catalogue's file and its parts, as they were read; absent where nothing was read. */
  files?: FileVersions | undefined;
};

/**
 * Compiles a catalogue file. `before`: how plans have counted under the catalogues before this one. `signal` aborts the
 * work.
 */
export type CompileCatalogue<C> = (path: string, before: PackedCounts, signal: AbortSignal) => Promise<Compiled<C>>;

/** Reads and compiles a catalogue file and its parts; see parseCatalogue. Never rejects. */
export async function compileCatalogue(path: string, before: PackedCounts): Promise<Compiled<Catalogue>> {
  const countedBefore = unpacked<CountedPlans>(before);
  const { catalogue, faults, files } = loadCatalogue(path, { before: countedBefore });
  if (faults !== undefined) return { faults: faults.map(formatFault), files };
  return { catalogue, counted: packCounts(catalogue, countedBefore), files };
}
