import { expect, test } from 'vitest';
import { StoreError } from '../../platform/clickhouse/store.ts';
import type { PackedCatalogue } from '../reload/packed-catalogue.ts';
import { NO_TOTALS } from './run-totals.ts';
import { giveCatalogue, type RunnableEngine, RunningEngine } from './running-engine.ts';

const catalogue = (hash: string) => ({ hash, head: { hash } }) as PackedCatalogue;

/** An engine that has taken a catalogue when it is asked to. */
function engine(begins: PackedCatalogue) {
  const taken = [begins.hash];
  let finish = () => {};
  const running: RunnableEngine = {
    totals: NO_TOTALS,
    run: async () => {},
    stop: async () => {},
    take({ hash }) {
      taken.push(hash);
      return new Promise<void>((resolve) => {
        finish = resolve;
      });
    },
  };
  return { engine: running, taken, finish: () => finish() };
}

test('a catalogue that comes while one engine ends and another begins is taken by both', async () => {
  const engines: ReturnType<typeof engine>[] = [];
  const running = new RunningEngine(catalogue('first'));
  const begin = () =>
    running.begin((begins) => {
      engines.push(engine(begins));
      return engines[engines.length - 1].engine;
    });
  begin();
  let isTaken = false;
  const taking = running.take(catalogue('second')).then(() => {
    isTaken = true;
  });
  begin();
  engines[0].finish();
  await new Promise((resolve) => setImmediate(resolve));
  expect(isTaken).toBe(false);
  engines[1].finish();
  await taking;
  begin();
  expect(engines.map(({ taken }) => taken)).toEqual([['first', 'second'], ['first', 'second'], ['second']]);
});

test('before there is an engine it is the first one’s', async () => {
  const running = new RunningEngine(catalogue('first'));
  await running.take(catalogue('second'));
  let begins = '';
  running.begin(({ hash }) => {
    begins = hash;
    return engine(catalogue(hash)).engine;
  });
  expect(begins).toBe('second');
});

test('a catalogue is given to all engines after it is kept, and to none when the store did not keep it', async () => {
  const engines = [engine(catalogue('first')), engine(catalogue('first'))];
  const running = engines.map(({ engine: own }) => {
    const current = new RunningEngine(catalogue('first'));
    current.begin(() => own);
    return current;
  });
  const down = new StoreError('store_unreachable', 'down');
  const refusing = { keepCatalogue: () => Promise.reject(down) };
  await expect(giveCatalogue(running, refusing, catalogue('second'))).rejects.toBe(down);
  expect(engines.map(({ taken }) => taken)).toEqual([['first'], ['first']]);

  const kept: string[] = [];
  const keeping = { keepCatalogue: async ({ hash }: { hash: string }) => void kept.push(hash) };
  const giving = giveCatalogue(running, keeping, catalogue('third'));
  await new Promise((resolve) => setImmediate(resolve));
  for (const { finish } of engines) finish();
  await giving;
  expect(kept).toEqual(['third']);
  expect(engines.map(({ taken }) => taken)).toEqual([
    ['first', 'third'],
    ['first', 'third'],
  ]);
});
