import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeJson } from './decode-json.ts';

const octets = (text: string): Uint8Array => Buffer.from(text);

test('gives the fields of an object as they stand', () => {
  expect(decodeJson(octets('{"nodeId":"pgw-1","uplinkOctets":12,"servedImsi":null}'))).toEqual({
    candidate: { nodeId: 'pgw-1', uplinkOctets: 12, servedImsi: null },
  });
});

test('drops a byte order mark', () => {
  expect(decodeJson(octets('\ufeff{"nodeId":"pgw-1"}'))).toEqual({ candidate: { nodeId: 'pgw-1' } });
});

test('keeps a whole number beyond 2^53 beyond 2^53, for the validation to refuse', () => {
  const { candidate } = decodeJson(octets('{"uplinkOctets":9223372036854775807}'));
  expect(candidate?.uplinkOctets).toBeGreaterThan(Number.MAX_SAFE_INTEGER);
});

test.each([
  ['no octets', '', 'not JSON: fault at character 1 of 0'],
  ['cut short', '{"servedMsisdn":"999124351736', 'not JSON: fault at character 17 of 29'],
  ['a missing value', '{"servedMsisdn":}', 'not JSON: fault at character 17 of 17'],
  ['two objects', '{}{}', 'not JSON: fault at character 3 of 4'],
  ['an array', '[{"nodeId":"pgw-1"}]', 'a JSON array, not an object'],
  ['null', 'null', 'a JSON value that is not an object'],
  ['a number', '999124351736', 'a JSON value that is not an object'],
])('says what is wrong with %s', (_case, text, detail) => {
  expect(decodeJson(octets(text))).toEqual({ fault: { reason: 'malformed', detail } });
});

test('refuses octets that are not UTF-8', () => {
  const value = Buffer.concat([octets('{"nodeId":"'), Buffer.from([0xc3, 0x28]), octets('"}')]);
  expect(decodeJson(value)).toEqual({ fault: { reason: 'malformed', detail: 'not UTF-8' } });
});

test('never throws, and never repeats the payload', () => {
  const secret = '999124351736';
  fc.assert(
    fc.property(fc.string(), fc.string(), (before, after) => {
      const { fault } = decodeJson(octets(before + secret + after));
      expect(fault?.detail ?? '').not.toContain(secret);
    }),
  );
  fc.assert(
    fc.property(fc.uint8Array(), (value) => {
      decodeJson(value);
    }),
  );
});
