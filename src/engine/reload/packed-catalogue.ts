import { setImmediate as nextTurn } from 'node:timers/promises';
import { deserialize, serialize } from 'node:v8';
import type { CatalogueTerms, Sponsor } from '../../rating/catalogue.ts';
import type { PreparedCatalogue } from '../../rating/prepared-catalogue.ts';

/** Entries of a part, which takes a few milliseconds to read. */
const ENTRIES_A_PART = 1000;

/**
 * A catalogue in shared memory: passing it to a thread copies nothing of what grows with it. Its applications and plans are in parts,
 * as V8 serialises them, so that a thread that takes records can read one after the other between batches.
 */
export interface PackedCatalogue<C extends CatalogueTerms = PreparedCatalogue> {
  hash: string;
  sponsors: readonly Sponsor[];
  head: Omit<C, 'applications' | 'plans'>;
  applications: readonly Uint8Array[];
  plans: readonly Uint8Array[];
  planCount: number;
}

export function packCatalogue<C extends CatalogueTerms>(catalogue: C): PackedCatalogue<C> {
  const { applications, plans, ...head } = catalogue;
  return {
    hash: catalogue.hash,
    sponsors: catalogue.sponsors,
    head: inSharedMemory(head) as Omit<C, 'applications' | 'plans'>,
    applications: partsOf(applications).map(packed),
    plans: partsOf(plans).map(packed),
    planCount: plans.length,
  };
}

/** Reads a packed catalogue. The event loop runs between its parts. */
export async function unpackCatalogue<C extends CatalogueTerms>(catalogue: PackedCatalogue<C>): Promise<C> {
  const steps = unpacking(catalogue);
  let step = steps.next();
  for (; step.done !== true; step = steps.next()) await nextTurn();
  return step.value;
}

/** The same at once, where no records wait. */
export function unpackCatalogueNow<C extends CatalogueTerms>(catalogue: PackedCatalogue<C>): C {
  const steps = unpacking(catalogue);
  let step = steps.next();
  while (step.done !== true) step = steps.next();
  return step.value;
}

function* unpacking<C extends CatalogueTerms>({ head, ...parts }: PackedCatalogue<C>): Generator<void, C> {
  const whole: { applications: unknown[]; plans: unknown[] } = { applications: [], plans: [] };
  for (const list of ['applications', 'plans'] as const) {
    for (const part of parts[list]) {
      whole[list].push(...unpacked<unknown[]>(part));
      yield;
    }
  }
  return { ...head, ...whole } as unknown as C;
}

/** Returns a value in shared memory, as V8 serialises it. */
export function packed(value: unknown): Uint8Array {
  return shared(serialize(value));
}

export function unpacked<T>(bytes: Uint8Array): T {
  return deserialize(bytes);
}

function partsOf(entries: readonly object[]): object[][] {
  const parts: object[][] = [];
  let room = 0;
  for (const entry of entries) {
    if (room <= 0) {
      parts.push([]);
      room = ENTRIES_A_PART;
    }
    parts[parts.length - 1].push(entry);
    room -= sizeOf(entry);
  }
  return parts;
}

/** An entry and those of its lists. */
function sizeOf(entry: object): number {
  return Object.values(entry).reduce((sum: number, value) => sum + (Array.isArray(value) ? value.length : 0), 1);
}

/** The same value, with its typed arrays in shared memory. */
function inSharedMemory(value: unknown): unknown {
  if (ArrayBuffer.isView(value)) return shared(value as Uint8Array);
  if (Array.isArray(value)) return value.map(inSharedMemory);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, inSharedMemory(inner)]));
}

/** Any kind of typed array, which keeps its kind. */
function shared<T extends Uint8Array>(array: T): T {
  const buffer = new SharedArrayBuffer(array.byteLength);
  new Uint8Array(buffer).set(new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
  const View = (Buffer.isBuffer(array) ? Uint8Array : array.constructor) as new (buffer: SharedArrayBuffer) => T;
  return new View(buffer);
}
