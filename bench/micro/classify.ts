import type { GenerateTarget } from '../../src/generator/generate-options.ts';
import { Random } from '../../src/generator/random.ts';
import { claimText } from '../../src/rating/claims.ts';
import { type FlowBatch, NO_TAG } from '../../src/rating/flow-record.ts';
import { parseCidr } from '../../src/rating/ip-address.ts';
import { classifyBatch } from '../../src/rating/pipeline.ts';
import type { Rules } from '../../src/rating/rules.ts';
import type { BenchmarkGroup, Prepared } from './benchmark.ts';
import { drawPrefixes, rulesOf, taggedApplications } from './catalogues.ts';
import { admitted, assertUndecided, avroBatches, newLane } from './traffic.ts';

const APPLICATIONS = 10;
const PREFIXES = [10, 10_000, 1_000_000];
const SPONSORS = [10, 1000, 100_000];

/** `classifyBatch` by address alone: ten applications share the prefixes, and an address is of any prefix. */
export function prefixesGroup(records: number, seed: number): BenchmarkGroup {
  const prepare = (count: number) => (): Prepared => {
    const random = new Random(seed);
    const prefixes = drawPrefixes(count, random);
    const applications = Array.from({ length: APPLICATIONS }, (_, i) => ({
      tags: [`TAG-${i}`],
      prefixes: prefixes.filter((_, place) => place % APPLICATIONS === i),
    }));
    const drawAddress = addressDrawer(prefixes, random);
    return classifying(rulesOf(applications), records, seed, (batch, row) => {
      batch.tag[row] = NO_TAG;
      drawAddress(random.integer(0, count - 1), batch.remoteAddress, row * 4);
    });
  };
  const benchmarks = PREFIXES.map((count) => ({ name: named(count, 'prefixes'), prepare: prepare(count) }));
  return { name: 'classify and choose a plan, by prefixes', benchmarks };
}

/** The same by sponsors: each has an application, a tag, a prefix and a plan. A third by tag, a third by address, a third by both. */
export function sponsorsGroup(records: number, seed: number): BenchmarkGroup {
  const prepare = (count: number) => (): Prepared => {
    const random = new Random(seed);
    const applications = taggedApplications(count);
    const drawAddress = addressDrawer(
      applications.map(({ prefixes: [prefix] }) => claimText(prefix)),
      random,
    );
    return classifying(rulesOf(applications), records, seed, (batch, row) => {
      const application = random.integer(0, count - 1);
      const evidence = row % 3;
      batch.tag[row] = evidence === 0 ? NO_TAG : application;
      if (evidence === 2) batch.remoteAddress.fill(0, row * 4, row * 4 + 4);
      else drawAddress(application, batch.remoteAddress, row * 4);
    });
  };
  const benchmarks = SPONSORS.map((count) => ({ name: named(count, 'sponsors'), prepare: prepare(count) }));
  return { name: 'classify and choose a plan, by sponsors', benchmarks };
}

function named(count: number, what: string): string {
  return `${count.toLocaleString('en-US')} ${what}`;
}

/** One generated batch over and over, each time with other numbers, and with the evidence that is drawn for every row. */
function classifying(
  rules: Rules,
  records: number,
  seed: number,
  drawEvidence: (batch: FlowBatch, row: number) => void,
): Prepared {
  const lane = newLane();
  // Any few targets do, as their evidence is replaced.
  const targets: GenerateTarget[] = taggedApplications(APPLICATIONS);
  const batch = admitted(avroBatches(targets, seed, 1, records)[0], lane, rules);
  const before = () => {
    assertUndecided(batch);
    lane.position += records;
    for (let row = 0; row < records; row++) {
      batch.localSequenceNumber[row] += records;
      drawEvidence(batch, row);
    }
  };
  const work = () => classifyBatch(batch, lane, rules);
  // An engine that runs has its window of duplicates full.
  for (let seen = 0; seen < lane.duplicates.size; seen += records) {
    before();
    work();
  }
  return { records, before, work, after: async () => assertUndecided(batch) };
}

/** Draws an address of the prefix at a place. */
function addressDrawer(prefixes: readonly string[], random: Random) {
  const words = new Uint32Array(prefixes.length * 4);
  const lengths = new Uint8Array(prefixes.length);
  prefixes.forEach((prefix, place) => {
    const cidr = parseCidr(prefix);
    if (cidr === null) throw new TypeError(prefix);
    words.set(cidr.words, place * 4);
    lengths[place] = cidr.length;
  });
  return (place: number, out: Uint32Array, at: number) => {
    for (let word = 0; word < 4; word++) {
      const bits = Math.min(32, Math.max(0, lengths[place] - word * 32));
      const hostMask = bits === 32 ? 0 : 0xffffffff >>> bits;
      out[at + word] = words[place * 4 + word] | (random.uint32() & hostMask);
    }
  };
}
