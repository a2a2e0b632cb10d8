import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeJson } from '../decode/decode-json.ts';
import { PseudonymKey } from '../subscribers.ts';
import { testRecord } from '../traffic.fixture.ts';
import { rejectedPayload } from './rejected-payload.ts';

const KEY = PseudonymKey.ofRoot(Buffer.alloc(32, 5));
const digits = (min: number, max: number) => fc.stringMatching(new RegExp(`^[1-9]\\d{${min - 1},${max - 1}}$`));
const payloadOf = (value: Uint8Array, limit = 4096) => rejectedPayload(value, decodeJson, KEY, limit);

test('no MSISDN and no IMSI survives, whether the record decodes, is cut anywhere, or is no text', () => {
  const cut = fc.integer({ min: 1, max: 400 });
  fc.assert(
    fc.property(digits(8, 15), digits(15, 15), cut, fc.boolean(), (servedMsisdn, servedImsi, length, isBinary) => {
      const whole = Buffer.from(JSON.stringify({ ...testRecord(), servedMsisdn, servedImsi }));
      const value = isBinary ? Buffer.concat([whole, Buffer.of(0xff)]) : whole;
      for (const bytes of [value, value.subarray(0, length)]) {
        const payload = payloadOf(bytes);
        const text = payload.startsWith('base64:')
          ? Buffer.from(payload.slice(7), 'base64').toString('latin1')
          : payload;
        // A pseudonym may hold any digits by chance; what is between the pseudonyms may not.
        const rest = text.replaceAll(/~[0-9a-f]{32}/g, '');
        expect(rest).not.toContain(servedMsisdn);
        expect(rest).not.toContain(servedImsi);
      }
    }),
  );
});

test('a record that decodes keeps its other fields', () => {
  const payload = JSON.parse(
    payloadOf(Buffer.from(JSON.stringify({ ...testRecord(), uplinkOctets: -5, extra: 'kept' }))),
  );
  expect(payload).toMatchObject({ uplinkOctets: -5, extra: 'kept', nodeId: 'gw-1', startTime: testRecord().startTime });
  expect(payload.servedMsisdn).toMatch(/^~[0-9a-f]{32}$/);
});

test('an MSISDN that is rejected for its spelling has the pseudonym of its subscriber, an IMSI its own', () => {
  const [msisdn, imsi] = ['999000000001', '001010123456789'];
  const pseudonymOf = (number: string) => `~${KEY.pseudonymOf(number).toString('hex')}`;
  for (const servedMsisdn of [`+${msisdn}`, `00${msisdn}`, `0${msisdn}`, `000${msisdn}`, '+999 000-000 001']) {
    const value = Buffer.from(JSON.stringify({ ...testRecord(), servedMsisdn, servedImsi: imsi, note: `00${msisdn}` }));
    expect(JSON.parse(payloadOf(value))).toMatchObject({
      servedMsisdn: pseudonymOf(msisdn),
      servedImsi: pseudonymOf(imsi),
      note: pseudonymOf(msisdn),
    });
  }
});

test('an account does not survive, whether the record decodes, has its name misspelt, is cut behind it, or is no text', () => {
  const account = fc.stringMatching(/^[A-Z][!-+\--:<-z~]{5,20}$/).filter((text) => !/['"{}]/.test(text));
  fc.assert(
    fc.property(
      account,
      fc.constantFrom('accountId', 'accountid', 'account_id'),
      fc.nat(200),
      (accountId, name, cut) => {
        const whole = Buffer.from(
          JSON.stringify({
            [name]: accountId,
            ...testRecord({ uplinkOctets: -1 }),
            ...(name === 'accountId' && { accountId }),
          }),
        );
        const at = whole.indexOf(JSON.stringify(accountId).slice(1, -1)) + accountId.length;
        for (const bytes of [whole, whole.subarray(0, at + cut), Buffer.concat([whole, Buffer.of(0xff)])]) {
          const payload = payloadOf(bytes);
          const text = payload.startsWith('base64:')
            ? Buffer.from(payload.slice(7), 'base64').toString('latin1')
            : payload;
          expect(text).not.toContain(accountId);
        }
      },
    ),
  );
});

test('a terminal’s address does not survive, whether the record decodes, is cut anywhere, or is no text', () => {
  const address = fc.oneof(fc.ipV4(), fc.ipV6()).filter((text) => text.length > 6);
  fc.assert(
    fc.property(address, fc.integer({ min: 1, max: 400 }), fc.boolean(), (terminalIp, length, isBinary) => {
      const whole = Buffer.from(JSON.stringify({ ...testRecord(), terminalIp, extra: `from ${terminalIp}` }));
      const value = isBinary ? Buffer.concat([whole, Buffer.of(0xff)]) : whole;
      for (const bytes of [value, value.subarray(0, length)]) {
        const payload = payloadOf(bytes);
        const text = payload.startsWith('base64:')
          ? Buffer.from(payload.slice(7), 'base64').toString('latin1')
          : payload;
        expect(text).not.toContain(terminalIp);
      }
    }),
  );
});

test('the remote address and the node are the carrier’s and stay', () => {
  const record = { ...testRecord(), nodeId: 'gw-10.1.2.3', uplinkOctets: -5 };
  expect(JSON.parse(payloadOf(Buffer.from(JSON.stringify(record))))).toMatchObject({
    nodeId: 'gw-10.1.2.3',
    remoteIp: testRecord().remoteIp,
    terminalIp: '~hidden',
  });
});

test('a number is the subscriber’s however it is written, and hidden where it cannot be one', () => {
  const payload = (servedMsisdn: unknown) =>
    JSON.parse(payloadOf(Buffer.from(JSON.stringify({ ...testRecord(), servedMsisdn })))).servedMsisdn;
  const pseudonym = `~${KEY.pseudonymOf('491701234567').toString('hex')}`;
  for (const written of ['491701234567', '+49 170 1234567', 491701234567, ['491701234567']]) {
    expect(payload(written)).toBe(pseudonym);
  }
  for (const written of ['4917012345674917012345', 'unknown', {}]) expect(payload(written)).toBe('~hidden');
});

test('the cap holds in octets, whatever the bytes', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array({ maxLength: 500 }),
        fc.string({ unit: 'grapheme', maxLength: 300 }).map((text) => Buffer.from(text)),
      ),
      fc.integer({ min: 16, max: 200 }),
      (value, limit) => {
        const payload = payloadOf(value, limit);
        const overhead = payload.startsWith('base64:') ? 'base64:'.length + 4 : 3;
        expect(Buffer.byteLength(payload)).toBeLessThanOrEqual(limit + overhead);
      },
    ),
  );
});

test.each<[string, (msisdn: string) => Uint8Array]>([
  ['in a field of another name', (msisdn) => asJson({ msisdn })],
  ['in an object inside', (msisdn) => asJson({ user: { msisdn } })],
  ['in a text field, as of columns that moved', (msisdn) => asJson({ nodeId: msisdn, endTime: undefined })],
  ['as a name', (msisdn) => asJson({ [msisdn]: 1 })],
  ['in UTF-16', (msisdn) => Buffer.from(`{"servedMsisdn":"${msisdn}"}`, 'utf16le')],
])('an MSISDN does not survive %s', (_, recordWith) => {
  fc.assert(
    fc.property(digits(10, 15), (msisdn) => {
      const text = payloadOf(recordWith(msisdn)).replaceAll('\0', '');
      expect(text.replaceAll(/~[0-9a-f]{32}/g, '')).not.toContain(msisdn);
    }),
  );
});

/** A record that lacks its MSISDN, as one has that a producer wrote under other names. */
function asJson(fields: object): Buffer {
  const { servedMsisdn: _, ...rest } = testRecord();
  return Buffer.from(JSON.stringify({ ...rest, ...fields }));
}
