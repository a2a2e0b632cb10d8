import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AnswerReader, type FirstOctets, FirstOctetsReader } from './first-octets.ts';

const MAX_OCTETS = 16_384;
const TAG = 'a'.repeat(198);
const CONNECT = `CONNECT media.example:443 HTTP/1.1\r\nHost: media.example:443\r\nZerorate-Tag: ${TAG}\r\n\r\n`;
const RELAY = `GET /v1/relay/text HTTP/1.1\r\nupgrade: websocket\r\nZERORATE-TAG:${TAG}  \r\n\r\n`;

function socks5(password: string, command = 1): Buffer {
  const field = (text: string) => Buffer.concat([Buffer.from([text.length]), Buffer.from(text)]);
  return Buffer.concat([Buffer.from([5, 2, 0, 2, 1]), field('user'), field(password), Buffer.from([5, command])]);
}

function read(segments: readonly Buffer[], maxBytes = MAX_OCTETS): FirstOctets {
  const reader = new FirstOctetsReader(maxBytes);
  for (const segment of segments) {
    const found = reader.take(segment);
    if (found !== 'incomplete') return found;
  }
  return 'incomplete';
}
const whole = (text: string | Buffer, maxBytes?: number) => read([Buffer.from(text)], maxBytes);

const GOOD: [string, Buffer, object][] = [
  ['CONNECT', Buffer.from(CONNECT), { endpoint: 'connect', sessionTags: [TAG] }],
  ['relay', Buffer.from(RELAY), { endpoint: 'relay', sessionTags: [TAG] }],
  ['SOCKS5', socks5(`proof.${TAG}`), { endpoint: 'socks5', sessionTags: [TAG] }],
];

describe.each(GOOD)('the first octets of %s', (_name, octets, request) => {
  test('are read whole, and whatever comes behind them', () => {
    expect(whole(octets)).toEqual(request);
    expect(read([Buffer.concat([octets, Buffer.from(CONNECT)])])).toEqual(request);
  });

  test('are read one octet a segment', () => {
    expect(read([...octets].map((octet) => Buffer.from([octet])))).toEqual(request);
  });

  test('are read however they are cut', () => {
    const cuts = fc.array(fc.nat(octets.length), { maxLength: 12 });
    fc.assert(
      fc.property(cuts, (at) => {
        const ends = [...at, octets.length].sort((a, b) => a - b);
        const segments = ends.map((end, i) => octets.subarray(i === 0 ? 0 : ends[i - 1], end));
        expect(read(segments)).toEqual(request);
      }),
    );
  });

  test('are not complete before their last octet', () => {
    for (let end = 0; end < octets.length; end++) expect(whole(octets.subarray(0, end))).toBe('incomplete');
  });
});

test.each<[string, string, FirstOctets]>([
  ['a request without a tag', CONNECT.replace(/Zerorate-Tag.*\r\n/, ''), 'no_tag'],
  ['a tag behind the first head', `CONNECT a:1 HTTP/1.1\r\n\r\n${CONNECT}`, 'no_tag'],
  ['a tag in the body of another request', `GET /v1/session-tags HTTP/1.1\r\nZerorate-Tag: ${TAG}\r\n\r\n`, 'no_tag'],
  ['another method', CONNECT.replace('CONNECT', 'POST'), 'no_tag'],
  ['another version', CONNECT.replace('HTTP/1.1', 'HTTP/1.0'), 'no_tag'],
  ['TLS', '\x16\x03\x01', 'no_tag'],
  ['a line before the request', `\r\n${CONNECT}`, 'no_tag'],
  ['a folded tag', CONNECT.replace(': a', ':\r\n a'), 'malformed'],
  ['a tag in a folded header', CONNECT.replace('\r\nZ', '\r\nX: y\r\n Z'), 'malformed'],
  ['a tag in a header folded by a tab', CONNECT.replace('\r\nZ', '\r\nX: y\r\n\tZ'), 'malformed'],
  ['a space before the colon', CONNECT.replace('Tag:', 'Tag :'), 'malformed'],
  ['a line that ends with a line feed alone', CONNECT.replace('443\r\nZ', '443\nZ'), 'malformed'],
  ['a line that ends with a carriage return alone', CONNECT.replace('443\r\nZ', '443\rZ'), 'malformed'],
  ['a zero octet', CONNECT.replace('aaaa', 'aa\0a'), 'malformed'],
  ['a line without a colon', CONNECT.replace('\r\nZ', '\r\nfoo\r\nZ'), 'malformed'],
  ['an underscore', CONNECT.replace('Zerorate-Tag', 'Zerorate_Tag'), 'no_tag'],
])('%s gives no tag', (_what, text, found) => {
  expect(whole(text)).toBe(found);
});

test('a tag with another SOCKS5 command than CONNECT and UDP ASSOCIATE gives none: such a connection carries nothing of the application', () => {
  expect(whole(socks5(`proof.${TAG}`, 3))).toEqual({ endpoint: 'socks5', sessionTags: [TAG] });
  expect(whole(socks5(`proof.${TAG}`, 2))).toBe('no_tag');
});

test('several tags are all there, however their names are written', () => {
  const twice = CONNECT.replace('\r\nZ', `\r\nzerorate-tag: ${TAG}\r\nZ`);
  expect(whole(twice)).toEqual({ endpoint: 'connect', sessionTags: [TAG, TAG] });
  const joined = CONNECT.replace(TAG, `${TAG}, ${TAG}`);
  expect(whole(joined)).toEqual({ endpoint: 'connect', sessionTags: [`${TAG}, ${TAG}`] });
  expect(whole(socks5(`p.${'b'.repeat(20)}.${'c'.repeat(20)}`))).toMatchObject({ sessionTags: { length: 2 } });
});

test('no more than the most octets are read, in whatever segments they come', () => {
  const padded = (octets: number) => CONNECT.replace('\r\nZ', `\r\nX: ${'y'.repeat(octets)}\r\nZ`);
  expect(whole(padded(64 * 1024))).toBe('too_long');
  expect(read([...Buffer.from(padded(64 * 1024))].map((octet) => Buffer.from([octet])))).toBe('too_long');
  const most = padded(0).length;
  expect(whole(padded(0), most)).toMatchObject({ sessionTags: [TAG] });
  expect(whole(padded(1), most)).toBe('too_long');
});

test('any octets are read without an error', () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 300 })),
      (segments) => void read(segments.map((each) => Buffer.from(each))),
    ),
  );
});

test.each<['connect' | 'relay' | 'socks5', string | number[], boolean | null]>([
  ['connect', 'HTTP/1.1 200 Connection established\r\n\r\n', true],
  ['connect', 'HTTP/1.1 2', null],
  ['connect', 'HTTP/1.1 403 Forbidden\r\n', false],
  ['connect', 'HTTP/1.1 101 Switching Protocols\r\n', false],
  ['relay', 'HTTP/1.1 101 Switching Protocols\r\n', true],
  ['relay', 'HTTP/1.1 200 OK\r\n', false],
  ['socks5', [5, 2, 1, 0, 5, 0, 0, 1], true],
  ['socks5', [5, 2, 1, 0], null],
  ['socks5', [5, 2, 1, 0, 5, 2], false],
  ['socks5', [5, 2, 1, 1], false],
  ['socks5', [5, 255], false],
])('%s answered with %j', (endpoint, answer, isAccepted) => {
  const octets = Buffer.from(answer as string);
  expect(new AnswerReader(endpoint).take(octets)).toBe(isAccepted);
  const reader = new AnswerReader(endpoint);
  const verdicts = [...octets].map((octet) => reader.take(Buffer.from([octet])));
  expect(verdicts.find((verdict) => verdict !== null) ?? null).toBe(isAccepted);
});
