import { expect, test } from 'vitest';
import type { Catalogue } from '../../rating/catalogue.ts';
import { wordMaps } from '../../rating/word-maps.ts';
import type { Engine } from '../engine.ts';
import { RunningEngine } from './running-engine.ts';

const NO_PREFIXES = wordMaps([]);
const catalogue = (hash: string) => ({ hash }) as Catalogue;

/** An engine that has taken a catalogue when it is asked to. */
function engine(begins: Catalogue) {
  const taken = [begins.hash];
  let finish = () => {};
  const take = ({ hash }: Catalogue) => {
    taken.push(hash);
    return new Promise<void>((resolve) => {
      finish = resolve;
    });
  };
  return { engine: { take } as unknown as Engine, taken, finish: () => finish() };
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
  const taking = running.take(catalogue('second'), NO_PREFIXES).then(() => {
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
  await running.take(catalogue('second'), NO_PREFIXES);
  let begins = '';
  running.begin(({ hash }) => {
    begins = hash;
    return engine(catalogue(hash)).engine;
  });
  expect(begins).toBe('second');
});
