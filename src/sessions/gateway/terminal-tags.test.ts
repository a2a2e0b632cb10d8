import { generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { PeerSecret } from '../../platform/http/peer-secret.ts';
import { packagePath } from '../../platform/package-paths.ts';
import {
  type FindTagKey,
  formatSessionTag,
  type SessionTagClaims,
  sessionTagKeys,
  signSessionTag,
} from '../protocol/session-tag.ts';
import type { Mark } from './flow-meter.ts';
import type { FlowEnds } from './flow-table.ts';
import { TAG_OUTCOMES, type TagOutcome, TerminalTags } from './terminal-tags.ts';

const NOW_MS = 1_790_000_000_000;
const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const KEYS = sessionTagKeys({ keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'key-1' }] });
const ENDS: FlowEnds = {
  protocol: 6,
  terminalIp: '127.64.0.1',
  terminalPort: 40_000,
  remoteIp: '127.0.0.1',
  remotePort: 8081,
};
const CLAIMS: SessionTagClaims = {
  sessionId: 'session-1',
  terminalIp: ENDS.terminalIp,
  proxyId: 'proxy-1',
  proxyIp: '127.0.0.1',
  proxyPorts: { connect: 8081, socks5: 1080, relay: 8082 },
  applicationId: 'chat',
  contentType: 'image',
  expiresAtMs: NOW_MS + 300_000,
};
const CHAT: Mark = { zeroRatingTag: 'CHAT', contentType: 'image' };
const ESTABLISHED = 'HTTP/1.1 200 Connection established\r\n\r\n';

const tagOf = (claims: Partial<SessionTagClaims> = {}, key = { keyId: 'key-1', privateKey }) =>
  formatSessionTag(signSessionTag({ ...CLAIMS, ...claims }, key));
const connectWith = (...tags: string[]) =>
  `CONNECT h:1 HTTP/1.1\r\n${tags.map((tag) => `zerorate-tag: ${tag}\r\n`).join('')}\r\n`;

interface Case {
  ends?: typeof ENDS;
  findKey?: FindTagKey;
  isMarked?: boolean;
}

function follow({ ends = ENDS, findKey = (hint) => KEYS.get(hint) ?? 'unknown', isMarked = false }: Case = {}) {
  const clock = { ms: NOW_MS };
  const marks: Mark[] = [];
  const tags = new TerminalTags({
    proxies: () => [
      { proxyId: 'proxy-1', secret: PeerSecret.of('s'), addresses: ['127.0.0.1'] },
      { proxyId: 'proxy-2', secret: PeerSecret.of('s'), addresses: ['127.0.0.1', '127.0.0.2'] },
    ],
    applications: [{ applicationId: 'chat', zeroRatingTag: 'CHAT' }],
    requestBytes: 4096,
    requestTimeoutMs: 10_000,
    findKey,
    nowMs: () => clock.ms,
  });
  const flow = tags.follow(ends, (mark) => {
    if (!isMarked) marks.push(mark);
    return !isMarked;
  });
  const outcomes = () => Object.entries(tags.counts()).filter(([, count]) => count > 0);
  return { tags, flow, marks, clock, outcomes };
}

function outcomeOf(request: string, answer = ESTABLISHED, more: Case = {}): [string, number][] {
  const { flow, marks, outcomes } = follow(more);
  flow?.uplink(Buffer.from(request));
  flow?.downlink(Buffer.from(answer));
  const found = outcomes();
  expect(marks).toEqual(found[0]?.[0] === 'taken' ? [CHAT] : []);
  return found;
}

describe('a terminal’s tag', () => {
  test('that the proxy accepts puts the zero-rating tag and the content type on the flow, once', () => {
    const { flow, marks, outcomes } = follow();
    flow?.uplink(Buffer.from(connectWith(tagOf())));
    expect(marks).toEqual([]);
    flow?.downlink(Buffer.from(ESTABLISHED));
    expect(marks).toEqual([CHAT]);
    flow?.uplink(Buffer.from(connectWith(tagOf({ contentType: 'video' }))));
    flow?.downlink(Buffer.from(ESTABLISHED));
    expect(marks).toHaveLength(1);
    expect(outcomes()).toEqual([['taken', 1]]);
  });

  test.each<[TagOutcome, string]>([
    ['malformed', connectWith(`${tagOf()}==`)],
    ['malformed', connectWith('CHAT')],
    ['malformed', connectWith(`${tagOf()}, ${tagOf()}`)],
    ['repeated', connectWith(tagOf(), tagOf())],
    ['too_long', connectWith(tagOf()).replace('\r\n', `\r\nX: ${'y'.repeat(64 * 1024)}\r\n`)],
    ['forged', connectWith(tagOf({}, { keyId: 'key-1', privateKey: generateKeyPairSync('ed25519').privateKey }))],
    ['key_unknown', connectWith(tagOf({}, { keyId: 'key-2', privateKey }))],
    ['expired', connectWith(tagOf({ expiresAtMs: NOW_MS }))],
    ['other_terminal', connectWith(tagOf({ terminalIp: '127.64.0.2' }))],
    ['other_proxy', connectWith(tagOf({ proxyId: 'proxy-9' }))],
    ['other_proxy', connectWith(tagOf({ proxyIp: '127.0.0.2' }))],
    ['other_proxy', connectWith(tagOf({ proxyPorts: { connect: 8089, socks5: 1080, relay: 8081 } }))],
    ['application_not_listed', connectWith(tagOf({ applicationId: 'talk' }))],
  ])('is refused as %s', (outcome, request) => {
    expect(outcomeOf(request)).toEqual([[outcome, 1]]);
  });

  test('is worth nothing where the proxy refuses the connection, or answers before it is asked', () => {
    expect(outcomeOf(connectWith(tagOf()), 'HTTP/1.1 403 Forbidden\r\n')).toEqual([['refused_by_proxy', 1]]);
    const { flow, marks } = follow();
    flow?.downlink(Buffer.from([5, 2, 1, 0, 5, 0]));
    flow?.uplink(Buffer.from(connectWith(tagOf())));
    expect(marks).toEqual([]);
  });

  test('beside a mark of the proxy changes nothing: the mark counts', () => {
    expect(outcomeOf(connectWith(tagOf()), ESTABLISHED, { isMarked: true })).toEqual([['marked_by_proxy', 1]]);
  });

  test('without a fixed address is bound to the addresses of its proxy', () => {
    const ends = { ...ENDS, remoteIp: '127.0.0.2' };
    const anywhere = connectWith(tagOf({ proxyIp: null }));
    expect(outcomeOf(anywhere)).toEqual([['taken', 1]]);
    expect(outcomeOf(anywhere, ESTABLISHED, { ends })).toEqual([['other_proxy', 1]]);
  });

  test('to what is no proxy is not even read', () => {
    expect(follow({ ends: { ...ENDS, remoteIp: '203.0.113.1' } }).flow).toBeNull();
  });

  test('in a request that takes too long is not read', () => {
    const { flow, clock, outcomes } = follow();
    const request = Buffer.from(connectWith(tagOf()));
    flow?.uplink(request.subarray(0, 20));
    clock.ms += 10_001;
    flow?.uplink(request.subarray(20));
    flow?.downlink(Buffer.from(ESTABLISHED));
    expect(outcomes()).toEqual([['too_slow', 1]]);
  });

  test('waits for a key that must be fetched; while the server is unreachable the flow stays untagged', async () => {
    for (const [key, outcome] of [
      [[...KEYS.values()][0], 'taken'],
      ['unreachable', 'keys_unreachable'],
      ['unknown', 'key_unknown'],
    ] as const) {
      const { flow, marks, outcomes } = follow({ findKey: async () => key });
      flow?.uplink(Buffer.from(connectWith(tagOf())));
      flow?.downlink(Buffer.from(ESTABLISHED));
      expect(marks).toEqual([]);
      await flow?.close();
      expect(outcomes()).toEqual([[outcome, 1]]);
      expect(marks).toEqual(outcome === 'taken' ? [CHAT] : []);
    }
  });

  test('of a connection that ends unanswered is counted as that, and a connection without one is not counted', async () => {
    const { flow, outcomes } = follow();
    flow?.uplink(Buffer.from(connectWith(tagOf())));
    await flow?.close();
    expect(outcomes()).toEqual([['closed', 1]]);
    expect(outcomeOf(connectWith())).toEqual([]);
  });
});

test('the page lists the outcomes in the order of the checks', () => {
  const rows = Object.entries(TAG_OUTCOMES).map(([outcome, meaning]) => `| \`${outcome}\` | ${meaning} |`);
  const table = ['| outcome | meaning |', '|---|---|', ...rows].join('\n');
  expect(readFileSync(packagePath('docs/concepts/tags.md'), 'utf8')).toContain(
    `<!-- outcomes -->\n\n${table}\n\n<!-- /outcomes -->`,
  );
});
