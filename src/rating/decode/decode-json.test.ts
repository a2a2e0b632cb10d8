import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeJson } from './decode-json.ts';

const octets = (text: string): Uint8Array => Buffer.from(text);

test('returns the fields of an object unchanged', () => {
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

test.each([
  ['{"startTime":1,"startTime":2}', 'startTime is in it twice'],
  ['{"startTime" :1,\t"startTime"\t: 2}', 'startTime is in it twice'],
  ['{"a":"::1","b":"x\\":","a":2}', 'a is in it twice'],
  ['{"a":1,"\\u0061":2}', 'a is in it twice'],
  ['{"x":{"a":1,"a":1}}', 'a is in it twice'],
  ['{"x":[{"a":1},{"b":1,"b":2}]}', 'b is in it twice'],
  ['{"999124351736":1,"999124351736":2}', 'a name of no field is in it twice'],
  ['{"__proto__":1,"__proto__":2}', '__proto__ is in it twice'],
])('a name that is in an object twice is refused: %s', (text, detail) => {
  expect(decodeJson(octets(text))).toEqual({ fault: { reason: 'malformed', detail } });
});

test.each([
  '{"a":"::1","b":":","c":"\\"a\\":1"}',
  '{"a":{"b":1,"c":{"b":1}},"b":[{"a":1},{"a":2}],"c":{}}',
  '{ "a" : 1 , "A" : 2 }',
  '{}',
])('the same name in other objects, and what only looks like a name, is none: %s', (text) => {
  expect(decodeJson(octets(text))).toEqual({ candidate: JSON.parse(text) });
});

test('names are counted as a list of them says, whatever the strings hold', () => {
  const name = fc.constantFrom('a', 'b', ':', '"', '\\', 'a":');
  const value = fc.oneof(name, fc.integer(), fc.constant(null));
  fc.assert(
    fc.property(fc.array(fc.tuple(name, value), { maxLength: 6 }), fc.constantFrom('', ' ', '\n'), (members, space) => {
      const text = members.map(([key, item]) => `${JSON.stringify(key)}${space}:${space}${JSON.stringify(item)}`);
      const { fault } = decodeJson(octets(`{${text.join(`${space},`)}}`));
      expect(fault === undefined).toBe(new Set(members.map(([key]) => key)).size === members.length);
    }),
    { numRuns: 500 },
  );
});

test.each([
  ['1.0', 1],
  ['1e3', 1000],
  ['1.5', 1.5],
])('a number is one however it is written: %s', (written, value) => {
  expect(decodeJson(octets(`{"uplinkOctets":${written}}`))).toEqual({ candidate: { uplinkOctets: value } });
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
