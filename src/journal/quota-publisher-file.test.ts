import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { QuotaUpdate } from '../rating/quota-updates.ts';
import { fileQuotaPublisher, quotaUpdateLine, quotaUpdateOfLine } from './quota-publisher-file.ts';
import { quotaUpdate, quotaUpdates } from './quota-update.fixture.ts';
import { readQuotaFile } from './read-quota-state.ts';

let directory: string;
let path: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'quota-updates-'));
  path = join(directory, 'store', 'quota-updates.ndjson');
});
afterEach(() => {
  rmSync(directory, { recursive: true });
});

async function publish(...batches: QuotaUpdate[][]): Promise<void> {
  const publisher = fileQuotaPublisher({ path });
  await publisher.start();
  await Promise.all(batches.map((updates) => publisher.publish('flow-0', quotaUpdates(updates))));
  await publisher.stop();
}
const content = () => readFileSync(path, 'utf8');
const lineOf = (version: number) => quotaUpdateLine(quotaUpdate({ version }));

test('a line holds the fields of an update, its period as a date', () => {
  const update = quotaUpdate({ periodStart: 20_780 });
  const line = quotaUpdateLine(update);
  expect(JSON.parse(line)).toEqual({ ...update, periodStart: '2026-11-23' });
  expect(Object.keys(JSON.parse(line))).toEqual(Object.keys(update));
  expect(line.indexOf('\n')).toBe(line.length - 1);
  expect(quotaUpdateOfLine(line)).toEqual(update);
});

test('its consumers keep the last line of a key, or the newest', async () => {
  const [older, newer] = [quotaUpdate({ version: 5, usedOctets: 50 }), quotaUpdate({ version: 6, usedOctets: 60 })];
  const nextDay = quotaUpdate({ periodStart: 20_781, version: 7, usedOctets: 1 });
  await publish([nextDay, newer, older]);
  writeFileSync(path, `${content()}{"torn`);
  const key = `${older.subscriber}|${older.planId}`;
  const { byCompaction, byVersion } = await readQuotaFile(path);
  expect([...byCompaction]).toEqual([[key, older]]);
  expect([...byVersion]).toEqual([[key, nextDay]]);
});

test('appends in the order of the calls, over several runs, and makes the directory', async () => {
  await publish([quotaUpdate({ version: 1 }), quotaUpdate({ version: 2 })], [], [quotaUpdate({ version: 3 })]);
  await publish([quotaUpdate({ version: 4 })]);
  expect(content()).toBe([1, 2, 3, 4].map(lineOf).join(''));
});

test('what is published is in the file when publish resolves', async () => {
  const publisher = fileQuotaPublisher({ path });
  await publisher.start();
  await publisher.publish('flow-0', quotaUpdates([quotaUpdate({ version: 1 })]));
  expect(content()).toBe(lineOf(1));
  await publisher.stop();
});

describe('a torn last line is cut off', () => {
  test.each([
    ['after whole lines', lineOf(1) + lineOf(2), '{"subscriber":"01'],
    ['in a file of nothing else', '', '{"subscr'],
    ['longer than one look back', lineOf(1), 'x'.repeat(200_000)],
    ['none', lineOf(1), ''],
  ])('%s', async (_, whole, torn) => {
    await publish();
    writeFileSync(path, whole + torn);
    await publish([quotaUpdate({ version: 9 })]);
    expect(content()).toBe(whole + lineOf(9));
  });
});

test('a file that cannot be written says so', async () => {
  writeFileSync(join(directory, 'store'), 'a file where a directory should be');
  await expect(fileQuotaPublisher({ path }).start()).rejects.toMatchObject({
    name: 'QuotaPublisherError',
    code: 'file_unwritable',
    message: expect.stringContaining(path),
  });
});
