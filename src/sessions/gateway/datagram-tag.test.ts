import { generateKeyPairSync } from 'node:crypto';
import { expect, test } from 'vitest';
import { PeerSecret } from '../../platform/http/peer-secret.ts';
import { type FindTagKey, type SessionTagClaims, sessionTagKeys, signSessionTag } from '../protocol/session-tag.ts';
import { TAG_ACCEPTED, TAG_LAPSES_AFTER_MS, TAG_OVER } from '../protocol/tag-datagram.ts';
import { followDatagrams } from './datagram-tag.ts';
import type { FlowEnds } from './flow-table.ts';
import { TerminalTags } from './terminal-tags.ts';

const NOW_MS = 1_790_000_000_000;
const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const KEYS = sessionTagKeys({ keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'key-1' }] });
const ENDS: FlowEnds = {
  protocol: 17,
  terminalIp: '127.64.0.7',
  terminalPort: 40_000,
  remoteIp: '127.0.0.1',
  remotePort: 55_000,
};
const CLAIMS: SessionTagClaims = {
  sessionId: '0f8fad5b-d9cb-469f-a165-70867728950e',
  terminalIp: ENDS.terminalIp,
  proxyId: 'proxy-1',
  proxyIp: '127.0.0.1',
  proxyPorts: { connect: 8081, socks5: 1080, relay: 8082 },
  applicationId: 'chat',
  contentType: 'voice',
  expiresAtMs: NOW_MS + 300_000,
};
const tagOf = (claims: Partial<SessionTagClaims> = {}, key = { keyId: 'key-1', privateKey }) =>
  signSessionTag({ ...CLAIMS, ...claims }, key);

function follow({ findKey = ((hint) => KEYS.get(hint) ?? 'unknown') as FindTagKey, isMarked = false } = {}) {
  const clock = { ms: NOW_MS };
  const changes: (string | null)[] = [];
  const tags = new TerminalTags({
    proxies: () => [{ proxyId: 'proxy-1', secret: PeerSecret.of('s'), addresses: ['127.0.0.1'] }],
    applications: [{ applicationId: 'chat', zeroRatingTag: 'CHAT' }],
    requestBytes: 4096,
    requestTimeoutMs: 10_000,
    findKey,
    nowMs: () => clock.ms,
  });
  const flow = followDatagrams(tags, ENDS, {
    set({ zeroRatingTag }) {
      if (!isMarked) changes.push(zeroRatingTag);
      return !isMarked;
    },
    remove: () => changes.push(null),
  });
  if (flow === null) throw new Error('the flow goes to a proxy');
  const outcomes = () => Object.entries(tags.counts()).filter(([, count]) => count > 0);
  return { flow, changes, clock, outcomes };
}

test('a flow has the tag once the proxy accepts it, and until the proxy says that it is over', async () => {
  const { flow, changes, outcomes } = follow();
  flow.uplink(tagOf());
  flow.downlink(Buffer.of(7, 7));
  expect(changes).toEqual([]);
  flow.downlink(TAG_ACCEPTED);
  flow.downlink(TAG_ACCEPTED);
  expect(changes).toEqual(['CHAT']);
  flow.uplink(tagOf({ contentType: 'video' }));
  flow.downlink(TAG_OVER);
  flow.downlink(TAG_ACCEPTED);
  await flow.close();
  expect(changes).toEqual(['CHAT', null]);
  expect(outcomes()).toEqual([['taken', 1]]);
});

test('a proxy that is silent for too long is taken for gone', () => {
  const { flow, changes, clock } = follow();
  flow.uplink(tagOf());
  flow.downlink(TAG_ACCEPTED);
  clock.ms += TAG_LAPSES_AFTER_MS;
  flow.uplink(Buffer.alloc(100));
  flow.downlink(Buffer.alloc(50));
  clock.ms += TAG_LAPSES_AFTER_MS;
  flow.uplink(Buffer.alloc(100));
  expect(changes).toEqual(['CHAT']);
  clock.ms += 1;
  flow.uplink(Buffer.alloc(100));
  flow.downlink(TAG_ACCEPTED);
  expect(changes).toEqual(['CHAT', null]);
});

test.each<[string, Buffer, string | null]>([
  ['of another terminal', tagOf({ terminalIp: '127.64.0.8' }), 'other_terminal'],
  ['of another proxy', tagOf({ proxyId: 'proxy-2' }), 'other_proxy'],
  ['of another address of the proxy', tagOf({ proxyIp: '127.0.0.9' }), 'other_proxy'],
  ['of an application that is not listed', tagOf({ applicationId: 'other' }), 'application_not_listed'],
  ['past its time', tagOf({ expiresAtMs: NOW_MS }), 'expired'],
  ['forged', tagOf({}, { keyId: 'key-1', privateKey: generateKeyPairSync('ed25519').privateKey }), 'forged'],
  ['that is none', Buffer.alloc(148, 9), null],
  ['that is cut', tagOf().subarray(1), null],
])('a tag %s is none, whatever the proxy says', async (_, octets, outcome) => {
  const { flow, changes, outcomes } = follow();
  flow.uplink(octets);
  flow.uplink(tagOf());
  flow.downlink(TAG_ACCEPTED);
  await flow.close();
  expect(changes).toEqual([]);
  expect(outcomes()).toEqual(outcome === null ? [] : [[outcome, 1]]);
});

test('a key that has to be asked for is waited for, and the flow has the tag if the proxy accepted it meanwhile', async () => {
  const { flow, changes, outcomes } = follow({ findKey: async (hint) => KEYS.get(hint) ?? 'unknown' });
  flow.uplink(tagOf());
  flow.downlink(TAG_ACCEPTED);
  expect(changes).toEqual([]);
  await flow.close();
  expect([changes, outcomes()]).toEqual([['CHAT'], [['taken', 1]]]);
});

test('a flow that its proxy has marked keeps that mark; one that is never accepted has none', async () => {
  const marked = follow({ isMarked: true });
  marked.flow.uplink(tagOf());
  marked.flow.downlink(TAG_ACCEPTED);
  expect(marked.outcomes()).toEqual([['marked_by_proxy', 1]]);
  const never = follow();
  never.flow.uplink(tagOf());
  await never.flow.close();
  expect([never.changes, never.outcomes()]).toEqual([[], [['closed', 1]]]);
});
