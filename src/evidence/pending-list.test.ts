import { expect, test } from 'vitest';
import { type PendingList, parsePending, pendingText } from './pending-list.ts';

const at = '2026-03-01T00:00:00Z';
const LIST: PendingList = {
  ...{ feed: 'cdn', application: 'chat', source: 'list.txt', sourceSha256: '0'.repeat(64), fetchedAt: at },
  ...{ partSha256: null, notes: [], approvals: [{ by: 'anna', at, from: undefined }] },
  prefixes: ['192.0.2.0/24', '192.0.2.0/25 tcp 443,5000-5999', '192.0.2.0/25 gre', '2001:db8::/32'],
};
const parse = (text: string) => parsePending(text, 'p.yaml', 'cdn');
/** The first fault of a list whose SHA-256 is right. */
function faultOf(change: Partial<PendingList>): string | null {
  try {
    parse(pendingText({ ...LIST, ...change }));
    return null;
  } catch (error) {
    const [fault, remedy] = (error as Error).message.split('\n');
    expect(remedy).toBe('p.yaml: is no pending list of feed cdn; remove it, and fetch the list again');
    return fault;
  }
}

test('a list is read as it was written, in whatever order its fields are', () => {
  expect(parse(pendingText(LIST))).toEqual(LIST);
  const reversed = Object.fromEntries(Object.entries(LIST).reverse()) as unknown as PendingList;
  expect(parse(pendingText(reversed))).toEqual(LIST);
});

test('prefixes are in their one spelling, and once', () => {
  const wrong = (prefix: string) => faultOf({ prefixes: ['203.0.113.0/24', prefix] });
  expect(wrong('198.51.100.0/2444')).toMatch(/^p\.yaml:13: prefixes\[1\]: "198\.51\.100\.0\/2444" is no network/);
  expect(wrong('198.51.100.7/24')).toMatch(/has host bits set: the network is 198\.51\.100\.0\/24$/);
  expect(wrong('2001:DB8::/32')).toMatch(/"2001:DB8::\/32" is written 2001:db8::\/32$/);
  expect(wrong('::ffff:192.0.2.0/120')).toMatch(/IPv4-mapped/);
  expect(wrong('192.0.2.0/24 47')).toMatch(/"192\.0\.2\.0\/24 47" is written 192\.0\.2\.0\/24 gre$/);
  expect(wrong('192.0.2.0/24 tcp 443,80')).toMatch(/is written 192\.0\.2\.0\/24 tcp 80,443$/);
  expect(wrong('192.0.2.0/24 icmp 443')).toMatch(/ports need protocol: tcp, udp, sctp, not icmp$/);
  for (const text of ['tcp 443 x', 'tcp 444-443', 'tcp 65536', 'ip', '256']) {
    expect(wrong(`192.0.2.0/24 ${text}`)).toMatch(/has no protocol and ports as 192\.0\.2\.0\/24 tcp/);
  }
  expect(wrong('203.0.113.0/24')).toMatch(/203\.0\.113\.0\/24 is listed already$/);
});

test('each person approves once, and the file is of its feed', () => {
  const approvals = [
    { by: 'anna', at },
    { by: ' Anna', at },
  ];
  expect(faultOf({ approvals })).toMatch(/^p\.yaml:\d+: approvals\[1\]\.by: {2}Anna has approved it already$/);
  expect(faultOf({ feed: 'other' })).toMatch(/^p\.yaml:\d+: feed: is other, and the file is of feed cdn$/);
});
