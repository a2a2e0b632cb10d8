import { expect, test } from 'vitest';
import { Secret } from '../config/secret.ts';
import { type Logger, loggerOn } from './logger.ts';

const MSISDN = '491701234567';
const IMSI = '262010123456789';
const ADDRESS = '100.64.7.7';
const record = { servedMsisdn: MSISDN, servedImsi: IMSI, terminalIp: ADDRESS, uplinkOctets: 12 };

function logged(log: (logger: Logger) => void): string {
  const lines: string[] = [];
  log(loggerOn('trace', { write: (line) => void lines.push(line) }));
  expect(lines).toHaveLength(1);
  return lines[0];
}

function failure(): Error {
  const cause = new Error(`no place for ${MSISDN}`);
  return Object.assign(new Error('cannot book', { cause }), { record, key: Buffer.from(MSISDN) });
}

test.each<[string, (logger: Logger) => void]>([
  ['as a field', (logger) => logger.info({ msisdn: MSISDN, imsi: IMSI }, 'seen')],
  ['in a record, however deep', (logger) => logger.debug({ batch: { rows: [{ record }] } }, 'seen')],
  [
    'as a record’s octets',
    (logger) => logger.trace({ key: Buffer.from(MSISDN), value: Buffer.from(JSON.stringify(record)) }),
  ],
  ['in the message', (logger) => logger.warn(`subscriber ${MSISDN}: no plan`)],
  ['as a part of the message', (logger) => logger.warn({ at: 1 }, 'subscriber %s: no plan', MSISDN)],
  ['in an error, its fields and its causes', (logger) => logger.error({ err: failure() }, 'failed')],
  ['in an error by itself', (logger) => logger.error(failure())],
  ['deeper than anybody looks', (logger) => logger.info({ a: { b: { c: { d: { e: { f: { g: { record } } } } } } } })],
])('a number %s does not reach the log', (_, log) => {
  const line = logged(log);
  for (const digits of [MSISDN, IMSI, ADDRESS, Buffer.from(MSISDN).join()]) {
    expect(line).not.toContain(digits);
  }
});

test('an error shows its type, message, code and stack', () => {
  const error = Object.assign(new TypeError('no room'), { code: 'store_full', canRetry: true });
  const { err, msg, level } = JSON.parse(logged((logger) => logger.error({ err: error }, 'failed')));
  expect({ msg, level }).toEqual({ msg: 'failed', level: 'error' });
  expect(err).toMatchObject({ type: 'TypeError', message: 'no room', code: 'store_full', canRetry: true });
  expect(err.stack).toContain('redaction.test.ts');
});

test('what is no number of a subscriber is left as it is', () => {
  const fields = {
    offset: 123_456_789_012,
    digest: '1234567890123456789012345678901234567890',
    fingerprint: 'ab1234567890ab',
    path: '/tmp/zerorate-20261125/flows.ndjson',
    at: new Date(0),
    secret: new Secret('geheim'),
    nothing: null,
  };
  const { time: _, level: _level, ...shown } = JSON.parse(logged((logger) => logger.info(fields)));
  expect(shown).toEqual({ ...fields, at: '1970-01-01T00:00:00.000Z', secret: '[redacted]' });
});
