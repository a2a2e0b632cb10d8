import { expect, test } from 'vitest';
import { StoreError } from '../platform/clickhouse/store.ts';
import { StoreOutage } from './store-outage.ts';

const full = new StoreError('store_full', '/data: the disk of the store is full: 0 MiB are left', { canRetry: true });
const refused = new StoreError('store_refused', 'syntax', { canRetry: false });
const fenced = new StoreError('batch_fenced', 'the journal has moved on');

function outage() {
  const lines: [level: string, message: string, fields: object][] = [];
  let nowMs = 0;
  const log = (level: string) => (fields: object, message: string) => lines.push([level, message, fields]);
  const watch = new StoreOutage({ warn: log('warn'), info: log('info') }, { monotonicMs: () => nowMs });
  const call = (kind: 'insert' | 'read', error?: Error) =>
    watch.watch(kind, () => (error === undefined ? Promise.resolve() : Promise.reject(error))).catch(() => {});
  return { lines, call, pass: (ms: number) => (nowMs += ms) };
}

test('an outage is one line when it begins, at once, and one when it ends, however often it is tried', async () => {
  const { lines, call, pass } = outage();
  await call('insert');
  for (let at = 0; at < 5; at++) {
    await call('insert', full);
    // Reading works on a full disk, and is no end.
    await call('read');
    pass(1000);
  }
  await call('insert');
  await call('insert');
  expect(lines).toEqual([
    ['warn', 'the store does not take a batch; retrying until it does', { err: full }],
    ['info', 'the store takes batches again', { outageMs: 5000 }],
  ]);
});

test('the next outage is reported again, and a read outage separately', async () => {
  const { lines, call } = outage();
  for (const kind of ['read', 'insert'] as const) {
    await call(kind, full);
    await call(kind);
  }
  expect(lines.map(([level, message]) => `${level}: ${message}`)).toEqual([
    'warn: the store does not answer; retrying until it does',
    'info: the store answers again',
    'warn: the store does not take a batch; retrying until it does',
    'info: the store takes batches again',
  ]);
});

test('a fence is an answer, and what no retry resolves is reported by the end of the run', async () => {
  const { lines, call } = outage();
  await call('insert', refused);
  await call('insert', fenced);
  expect(lines).toEqual([]);
  await call('insert', full);
  await call('insert', fenced);
  expect(lines).toHaveLength(2);
});
