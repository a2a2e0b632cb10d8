import { expect, test } from 'vitest';
import type { EngineParts } from '../../src/engine/running/assemble-engine.ts';
import { FAILPOINTS, type Failpoint, formatFailpoint, parseFailpoint, withFailpoint } from './failpoints.ts';

/** Ports that only record their calls. */
class Recorder {
  readonly #calls: string[] = [];

  get calls(): string[] {
    return this.#calls;
  }

  async insert(): Promise<void> {
    this.#calls.push('insert');
  }

  async digestAt(): Promise<string> {
    this.#calls.push('digestAt');
    throw new Error('no answer');
  }

  async *counters(): AsyncGenerator<number> {
    this.#calls.push('counters');
    yield 1;
  }
}

function recorded(failpoint: Failpoint) {
  const journal = new Recorder();
  const parts = { journal, publisher: {}, source: {} } as unknown as EngineParts;
  const signals: string[] = [];
  const decoratedParts = withFailpoint(parts, failpoint, (name) => {
    signals.push(`${name} after ${journal.calls.join()}`);
  });
  return { journal: decoratedParts.journal as unknown as Recorder, signals };
}

test('a failpoint is reached at its time, before the call', async () => {
  const { journal, signals } = recorded({ name: 'before_insert', time: 2, action: 'kill' });
  for (const _ of [1, 2, 3]) await journal.insert();
  expect(signals).toEqual(['SIGKILL after insert']);
  expect(journal.calls).toHaveLength(3);
});

test('a failpoint after a call is reached when the call fails, too', async () => {
  const { journal, signals } = recorded({ name: 'after_digest_at', time: 1, action: 'stop' });
  await expect(journal.digestAt()).rejects.toThrow('no answer');
  expect(signals).toEqual(['SIGSTOP after digestAt']);
});

test('a stream is a call too', async () => {
  const { journal, signals } = recorded({ name: 'before_counters', time: 1, action: 'kill' });
  for await (const counter of journal.counters()) expect(counter).toBe(1);
  expect(signals).toEqual(['SIGKILL after ']);
});

test('the text of a failpoint', () => {
  for (const name of FAILPOINTS) {
    const failpoint = { name, time: 3, action: 'kill' } as const;
    expect(parseFailpoint(formatFailpoint(failpoint))).toEqual(failpoint);
  }
  for (const text of ['', 'after_insert', 'after_insert:0:kill', 'insert:1:kill', 'after_insert:1:wait']) {
    expect(() => parseFailpoint(text)).toThrow('is no failpoint');
  }
});
