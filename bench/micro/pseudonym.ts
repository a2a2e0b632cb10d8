import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { subscriberOfRank } from '../../src/generator/generated-subscribers.ts';
import { Random } from '../../src/generator/random.ts';
import { PseudonymKey } from '../../src/rating/subscribers.ts';
import type { BenchmarkGroup, Prepared } from './benchmark.ts';

const ROOT = Buffer.alloc(32, 7);
const FRESH = Buffer.alloc(32, 8);
/** Ten of the first are erased, and no record is theirs. */
const ERASED = 1000;
/** How many subscribers there are to meet: of a billion numbers, or of a block of as many. */
const SUBSCRIBERS = 1_000_000;
const BLOCK_START = 491_700_000_000;

const sparse = (subscriber: number) => subscriberOfRank(subscriber).msisdn;
const dense = (subscriber: number) => String(BLOCK_START + subscriber);

/** Pseudonyms of subscribers who are met for the first time: later ones are looked up. */
export function pseudonymGroup(records: number, seed: number): BenchmarkGroup {
  const prepare =
    (numberOf: (subscriber: number) => string, pseudonymOf: (number: string) => Uint8Array) => (): Prepared => {
      const random = new Random(seed);
      let numbers: string[] = [];
      let last: Uint8Array = new Uint8Array(0);
      const before = () => {
        numbers = Array.from({ length: records }, () => numberOf(random.integer(ERASED, SUBSCRIBERS - 1)));
      };
      const work = () => {
        for (const number of numbers) last = pseudonymOf(number);
      };
      return { records, before, work, after: async () => assert.equal(last.length, 16) };
    };
  const hmac = (number: string) => createHmac('sha256', ROOT).update(number, 'latin1').digest().subarray(0, 16);
  const whole = PseudonymKey.ofRoot(ROOT);
  let punctured = whole;
  for (let rank = 0; rank < ERASED; rank += ERASED / 10) {
    punctured = punctured.erased(sparse(rank), FRESH).erased(dense(rank), FRESH);
  }
  return {
    name: 'pseudonym',
    benchmarks: [
      { name: 'one HMAC-SHA256, for comparison', prepare: prepare(sparse, hmac) },
      { name: 'a whole key, numbers far apart', prepare: prepare(sparse, (number) => whole.pseudonymOf(number)) },
      { name: 'a whole key, numbers of a block', prepare: prepare(dense, (number) => whole.pseudonymOf(number)) },
      {
        name: 'numbers erased, numbers far apart',
        prepare: prepare(sparse, (number) => punctured.pseudonymOf(number)),
      },
      {
        name: 'numbers erased, numbers of a block',
        prepare: prepare(dense, (number) => punctured.pseudonymOf(number)),
      },
    ],
  };
}
