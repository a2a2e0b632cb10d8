import { expect, test } from 'vitest';
import { StoreError } from '../platform/clickhouse/store.ts';
import { prepareCatalogue } from '../rating/prepared-catalogue.ts';
import { type Facts, NO_FACTS } from '../rating/rules.ts';
import { CurrentRules } from './engine.ts';
import { chatCatalogue } from './traffic.fixture.ts';

const SUSPENDED: Facts = { ...NO_FACTS, suspensions: { sponsorIds: new Set(['chatter']), number: 7 } };

/** A journal whose looks are answered by hand. */
function journal() {
  const looks: { resolve: (facts: Facts) => void; reject: (error: unknown) => void }[] = [];
  return {
    looks,
    facts: () => new Promise<Facts>((resolve, reject) => looks.push({ resolve, reject })),
  };
}

test('lanes that ask while the first look is under way wait for it: none begins without knowing who is suspended', async () => {
  const port = journal();
  const rules = new CurrentRules(prepareCatalogue(chatCatalogue()), port, { monotonicMs: () => 0 });
  const lanes = [rules.now(), rules.now()];
  expect(port.looks).toHaveLength(1);
  port.looks[0].resolve(SUSPENDED);
  for (const { suspended, suspensionNumber } of await Promise.all(lanes)) {
    expect([[...suspended], suspensionNumber]).toEqual([[1], 7]);
  }
});

test('a catalogue that comes while facts are looked at is not lost, and knows who is suspended', async () => {
  const port = journal();
  let nowMs = 0;
  const rules = new CurrentRules(prepareCatalogue(chatCatalogue('adjust')), port, { monotonicMs: () => nowMs });
  const first = rules.now();
  port.looks[0].resolve(SUSPENDED);
  await first;
  nowMs = 5000;
  const asked = rules.now();
  const next = prepareCatalogue(chatCatalogue('refuse'));
  rules.take(next);
  port.looks[1].resolve(SUSPENDED);
  const { catalogue, suspended } = await asked;
  expect(catalogue).toBe(next);
  expect([...suspended]).toEqual([1]);
});

test('a look that failed is made again by the next batch', async () => {
  const port = journal();
  const rules = new CurrentRules(prepareCatalogue(chatCatalogue()), port, { monotonicMs: () => 0 });
  const failed = rules.now();
  port.looks[0].reject(new StoreError('store_unreachable', 'down'));
  await expect(failed).rejects.toMatchObject({ code: 'store_unreachable' });
  const again = rules.now();
  port.looks[1].resolve(SUSPENDED);
  expect((await again).suspensionNumber).toBe(7);
});
