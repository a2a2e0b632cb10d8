import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { type RecordDraft, RecordSpool } from './record-spool.ts';

const folder = mkdtempSync(join(tmpdir(), 'zerorate-spool-'));
afterAll(() => rmSync(folder, { recursive: true }));

test.each([
  ['a new directory', false],
  ['a directory that others could read', true],
])('%s is for the owner alone', async (name, exists) => {
  const directory = join(folder, name);
  if (exists) {
    mkdirSync(directory);
    chmodSync(directory, 0o755);
  }
  const spool = RecordSpool.open(directory, 'node-1');
  expect(statSync(directory).mode & 0o777).toBe(0o700);
  await spool.close();
});

test('a compacted spool has what waits and the numbers, and no trace of what Kafka has taken', async () => {
  const directory = join(folder, 'compacted');
  const spool = RecordSpool.open(directory, 'node-1');
  const bearer = (msisdn: string) => ({
    bearerId: `bearer-of-${msisdn}`,
    msisdn,
    imsi: null,
    terminalIp: '127.64.0.1',
    chargingId: spool.takeChargingId(),
    nextRecordSequenceNumber: 1,
  });
  const [gone, waits] = [bearer('491701234567'), bearer('491707654321')];
  for (const each of [gone, waits]) spool.putBearer(each);
  for (const each of [gone, waits]) spool.append({ servedMsisdn: each.msisdn } as RecordDraft, each);
  await spool.remove([(await spool.oldest(1))[0]]);
  spool.removeBearer(gone.bearerId);
  await spool.close();
  const octets = () => readFileSync(join(directory, 'data.mdb'));
  expect(octets().includes(gone.msisdn)).toBe(true);

  await RecordSpool.compact(directory);
  expect(octets().includes(gone.msisdn)).toBe(false);
  expect(readdirSync(directory).sort()).toEqual(['data.mdb', 'lock.mdb']);
  const again = RecordSpool.open(directory, 'node-1');
  expect(await again.oldest(10)).toMatchObject([{ servedMsisdn: waits.msisdn, localSequenceNumber: 2 }]);
  expect(again.bearers()).toMatchObject([{ bearerId: waits.bearerId }]);
  expect(again.takeChargingId()).toBe(3);
  await again.close();
});
