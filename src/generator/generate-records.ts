import type { FlowRecord } from '../rating/flow-record.ts';
import { createFlowRecordDrawer, type DrawnRecord } from './draw-flow-record.ts';
import { completeOptions, type GenerateOptions, type GenerateSettings } from './generate-options.ts';
import type { GeneratedRecord } from './generated-record.ts';
import { createTotals, type GeneratedTotals } from './generated-totals.ts';
import { breakFields, type Malformation } from './malformations.ts';
import { Random } from './random.ts';

const KINDS = ['malformed', 'duplicate', 'conflicting', 'late', 'usual'] as const;

/**
 * Yields `options.records` records; the generator's return value is their exact totals. Pure: the same options give the same
 * records. Each node's numbers are consecutive over its usual, late and malformed records.
 */
export function* generateRecords(options: GenerateOptions): Generator<GeneratedRecord, GeneratedTotals, undefined> {
  const settings = completeOptions(options);
  const random = new Random(settings.seed);
  const draw = createFlowRecordDrawer(settings, random);
  const recent = new RecentRecords(settings.duplicate + settings.conflicting > 0 ? settings.duplicateWindow : 0);
  const { malformed, duplicate, conflicting, late } = settings;
  const weights = [
    malformed,
    duplicate,
    conflicting,
    late,
    Math.max(0, 1 - malformed - duplicate - conflicting - late),
  ];
  const totals = createTotals();
  for (let place = 0; place < settings.records; place++) {
    const kind = KINDS[random.weighted(weights)];
    const generated =
      kind === 'malformed'
        ? makeMalformed(draw(place, false), settings, random)
        : kind === 'duplicate' || kind === 'conflicting'
          ? makeRepeated(kind, recent.drawBefore(place, random), () => draw(place, false))
          : { kind, ...draw(place, kind === 'late') };
    recent.keep(place, generated);
    totals.add(generated);
    yield generated;
  }
  return totals.read();
}

function makeMalformed({ record }: DrawnRecord, settings: GenerateSettings, random: Random): GeneratedRecord {
  const { malformations } = settings;
  const malformation = malformations[random.weighted(malformations.map(weightOf))];
  const fields = breakFields(record, malformation, random, settings.oversizedOctets);
  return { kind: 'malformed', malformation, key: record.servedMsisdn, fields };
}

/** Returns the weight of a fault. Oversized records are rare, or they would be most of a file. */
function weightOf(malformation: Malformation): number {
  return malformation === 'oversized' ? 0.2 : 1;
}

/** Repeats an earlier record. At the beginning there is none: then the record is a usual one. */
function makeRepeated(
  kind: 'duplicate' | 'conflicting',
  original: FlowRecord | null,
  drawUsual: () => DrawnRecord,
): GeneratedRecord {
  if (original === null) return { kind: 'usual', ...drawUsual() };
  if (kind === 'duplicate') return { kind, record: original };
  return { kind, record: { ...original, downlinkOctets: original.downlinkOctets + 1 } };
}

/** The valid records of the last `size` places, to repeat one of them. */
class RecentRecords {
  readonly #ring: (FlowRecord | null)[];

  constructor(size: number) {
    this.#ring = Array<FlowRecord | null>(size).fill(null);
  }

  keep(place: number, generated: GeneratedRecord): void {
    if (this.#ring.length === 0) return;
    const original = generated.kind === 'usual' || generated.kind === 'late';
    this.#ring[place % this.#ring.length] = original ? generated.record : null;
  }

  /** Draws an earlier record, nearer ones more often, as with redeliveries; null when there is none. */
  drawBefore(place: number, random: Random): FlowRecord | null {
    const farthest = Math.min(place, this.#ring.length);
    const distance = Math.floor(farthest ** random.uniform());
    for (let back = Math.min(distance, farthest); back > 0; back--) {
      const record = this.#ring[(place - back) % this.#ring.length];
      if (record !== null) return record;
    }
    return null;
  }
}
