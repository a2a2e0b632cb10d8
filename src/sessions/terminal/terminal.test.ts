import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { MediaHost } from '../../development/media-host.ts';
import { MessageHub } from '../../development/message-hub.ts';
import type { SessionContentType } from '../protocol/content-octets.ts';
import { ScriptedNetwork } from './terminal.fixture.ts';
import { Terminal, type TerminalOptions } from './terminal.ts';
import { directDial } from './terminal-dial.ts';
import type { ReceivedMessage, TerminalEvent } from './terminal-event.ts';

let network: ScriptedNetwork;
let hub: MessageHub;
let media: MediaHost;
let directRelayUrl: string;
let mediaPort: number;
const terminals: Terminal[] = [];

beforeEach(async () => {
  network = new ScriptedNetwork();
  await network.start();
  hub = new MessageHub();
  directRelayUrl = await hub.start('127.0.0.1');
  media = new MediaHost();
  mediaPort = await media.start('127.0.0.1');
});
afterEach(async () => {
  for (const terminal of terminals.splice(0)) await terminal.stop();
  await Promise.all([network.stop(), hub.stop(), media.stop()]);
});

function makeTerminal(options: Partial<TerminalOptions> = {}) {
  const events: TerminalEvent[] = [];
  const messages: ReceivedMessage[] = [];
  const terminal = new Terminal({
    msisdn: '15550100001',
    identityAssertion: async () => 'assertion',
    applicationId: 'chatter',
    applicationAccount: 'alice',
    dispatchUrl: network.dispatchUrl,
    directRelayUrl,
    dial: directDial,
    onEvent: (event) => events.push(event),
    onMessage: (message) => messages.push(message),
    ...options,
  });
  terminals.push(terminal);
  return { terminal, events, messages };
}

async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await pause(5);
}

const REFUSED = { reason: 'quota_exhausted', message: 'nothing is left' } as const;

test.each<[SessionContentType, string | undefined]>([
  ['text', undefined],
  ['voice', undefined],
  ['image', 'cat.jpg'],
])('%s goes through the proxy, and comes', async (contentType, name) => {
  const { terminal, messages } = makeTerminal();
  await terminal.start([]);
  const payload = Buffer.alloc(50_000, 3);
  expect(await terminal.send(contentType, 'bob', payload, name)).toEqual({ via: 'proxy' });
  await until(() => messages.length === 1);
  expect(messages[0]).toMatchObject({ contentType, from: 'echo', payload, ...(name !== undefined && { name }) });
});

test('an application that takes session tags has one of its content type on each connection, asked for once a token', async () => {
  network.sessions = [{ identifiedBy: ['terminal_tag'] }];
  network.renewals = [{ identifiedBy: ['terminal_tag'] }];
  network.sessionTags = { text: 't'.repeat(198), image: 'i'.repeat(198) };
  const { terminal } = makeTerminal();
  await terminal.start(['text', 'voice']);
  const url = new URL(`http://127.0.0.1:${mediaPort}/cat.jpg`);
  expect(await terminal.upload(url, 'image', Buffer.alloc(10))).toMatchObject({ delivery: { via: 'proxy' } });
  expect(network.tagsSeen).toEqual([network.sessionTags.text, undefined, network.sessionTags.image]);
  expect(network.tagRequests).toEqual(['/v1/session-tags Bearer token-of-session-1']);
  await terminal.renew();
  await terminal.download(new URL(`http://127.0.0.1:${mediaPort}/7`), 'image');
  expect(network.tagRequests).toHaveLength(2);
  network.turnsAway = 'tag_expired';
  expect(await terminal.upload(url, 'image', Buffer.alloc(10))).toMatchObject({
    delivery: { via: 'direct', reason: 'tag_expired' },
  });
  network.turnsAway = null;
  await terminal.download(new URL(`http://127.0.0.1:${mediaPort}/7`), 'image');
  expect(network.tagRequests).toHaveLength(3);
});

test('other applications ask for no session tags and send none', async () => {
  const { terminal } = makeTerminal();
  await terminal.start(['text']);
  expect(network.tagRequests).toEqual([]);
  expect(network.tagsSeen).toEqual([undefined]);
});

test('files go up and down through tunnels', async () => {
  const { terminal } = makeTerminal();
  await terminal.start([]);
  const put = await terminal.upload(new URL(`http://127.0.0.1:${mediaPort}/cat.jpg`), 'image', Buffer.alloc(3000));
  expect(put).toMatchObject({ delivery: { via: 'proxy' }, answer: { status: 201 } });
  const got = await terminal.download(new URL(`http://127.0.0.1:${mediaPort}/70000`), 'image');
  expect(got).toMatchObject({ delivery: { via: 'proxy' }, answer: { status: 200 } });
  expect(got.answer?.body.length).toBe(70_000);
  await until(() => network.octets.downlinkOctets > 70_000);
  expect(network.octets.uplinkOctets).toBeGreaterThan(3000);
});

test('what it counts is what the proxy counts, to the octet', async () => {
  const { terminal } = makeTerminal();
  await terminal.start(['text', 'voice']);
  for (let message = 0; message < 20; message++) await terminal.send('voice', 'bob', Buffer.alloc(message * 997));
  await terminal.download(new URL(`http://127.0.0.1:${mediaPort}/12345`), 'other');
  await terminal.stop();
  await until(() => network.relays.size === 0);
  expect(terminal.octets().proxy).toEqual(network.octets);
  expect(terminal.octets().direct).toEqual({ uplinkOctets: 0, downlinkOctets: 0 });
  expect(terminal.octets().control.uplinkOctets).toBeGreaterThan(0);
  expect(network.ended).toEqual(['/v1/sessions/session-1']);
});

test('messages on several connections are sent in their order', async () => {
  const { terminal, messages } = makeTerminal();
  await terminal.start([]);
  const types = ['text', 'voice', 'image'] as const;
  const sent = Array.from({ length: 30 }, (_, at) => terminal.send(types[at % 3], 'bob', Buffer.of(at)));
  for (const delivery of await Promise.all(sent)) expect(delivery).toEqual({ via: 'proxy' });
  await until(() => messages.length === 30);
});

test('refused by the dispatch server it goes direct, says why, and asks again later', async () => {
  network.sessions = [REFUSED, {}];
  const bob = makeTerminal({ applicationAccount: 'bob' });
  const { terminal, events } = makeTerminal({ askAgainAfterMs: 300 });
  await terminal.start([]);
  network.sessions = [REFUSED];
  await bob.terminal.start(['text']);
  network.sessions = [{}];
  expect(await terminal.sendText('bob', 'hello')).toEqual({ via: 'direct', reason: 'quota_exhausted' });
  await until(() => bob.messages.length === 1);
  expect(bob.messages[0]).toMatchObject({ from: 'alice', payload: Buffer.from('hello') });
  expect(terminal.status).toMatchObject({ proxyId: null, reason: 'quota_exhausted', remainingOctets: 0 });
  expect(events).toContainEqual({ type: 'refused', ...REFUSED });
  expect(events).toContainEqual({ type: 'direct', contentType: 'text', reason: 'quota_exhausted' });
  expect(terminal.octets().direct.uplinkOctets).toBeGreaterThan(0);
  await pause(350);
  expect(await terminal.sendText('bob', 'again')).toEqual({ via: 'proxy' });
});

test('a dispatch server that is away is a refusal, too', async () => {
  const { terminal } = makeTerminal({ dispatchUrl: 'http://127.0.0.1:1' });
  await terminal.start([]);
  expect(await terminal.sendText('bob', 'hello')).toEqual({ via: 'direct', reason: 'dispatch_unreachable' });
});

test('what one connection is refused for goes direct alone', async () => {
  const { terminal, events } = makeTerminal();
  await terminal.start([]);
  network.turnsAway = 'host_not_allowed';
  const { delivery, answer } = await terminal.download(new URL(`http://127.0.0.1:${mediaPort}/10`), 'image');
  expect(delivery).toEqual({ via: 'direct', reason: 'host_not_allowed' });
  expect(answer?.body.length).toBe(10);
  network.turnsAway = null;
  expect(await terminal.sendText('bob', 'hello')).toEqual({ via: 'proxy' });
  expect(events).toContainEqual({ type: 'direct', contentType: 'image', reason: 'host_not_allowed' });
  expect(network.asked).toHaveLength(1);
});

test('it asks for another session when the cap is reached', async () => {
  const { terminal, events } = makeTerminal();
  await terminal.start(['text']);
  network.report({ type: 'closing', reason: 'cap_reached' });
  for (const relay of network.relays) relay.close();
  await until(() => events.some(({ type }) => type === 'session_lost'));
  expect(await terminal.sendText('bob', 'hello')).toEqual({ via: 'proxy' });
  expect(network.asked).toHaveLength(2);
  expect(events).toContainEqual({ type: 'session_lost', reason: 'cap_reached' });
});

test('it renews before the token expires', async () => {
  network.sessions = [{ tokenExpiresAtMs: Date.now() + 400 }];
  const { terminal, events } = makeTerminal();
  await terminal.start([]);
  await until(() => events.some(({ type }) => type === 'renewed'));
  expect(network.renewed).toEqual(['/v1/sessions/session-1/renewal']);
  expect(network.asked).toHaveLength(1);
});

test('it renews when the cap gets near, by its own count', async () => {
  network.sessions = [{ sponsoredOctetsCap: 20_000 }];
  const { terminal, events } = makeTerminal();
  await terminal.start([]);
  await terminal.send('image', 'bob', Buffer.alloc(4000));
  expect(network.renewed).toHaveLength(0);
  await terminal.send('image', 'bob', Buffer.alloc(9000));
  await until(() => events.some(({ type }) => type === 'renewed'));
  expect(terminal.status.sponsoredOctetsCap).toBe(1_000_000);
});

test('a renewal that is refused leaves the session', async () => {
  network.renewals = [REFUSED];
  const { terminal, events } = makeTerminal();
  await terminal.start([]);
  await terminal.renew();
  expect(events).toContainEqual({ type: 'renewal_refused', ...REFUSED });
  expect(await terminal.sendText('bob', 'hello')).toEqual({ via: 'proxy' });
});

test('it shows the quota, and answers the idle prompt as it is configured', async () => {
  let isHere = true;
  const { terminal, events } = makeTerminal({ isStillHere: () => isHere });
  await terminal.start(['text']);
  expect(terminal.status).toMatchObject({ proxyId: 'proxy-1', remainingOctets: 5_000_000 });
  const quota = { sponsoredOctetsCap: 1_000_000, usedSponsoredOctets: 700, remainingOctets: 4_000_000 };
  network.report({ type: 'quota', ...quota });
  await until(() => terminal.status.remainingOctets === 4_000_000);
  expect(terminal.status.usedSponsoredOctets).toBe(700);
  network.report({ type: 'idle_prompt', closesInMs: 1000 });
  await until(() => network.stillHere.length === 1);
  expect(network.stillHere).toEqual([{ type: 'still_here' }]);
  isHere = false;
  network.report({ type: 'idle_prompt', closesInMs: 1000 });
  await until(() => events.filter(({ type }) => type === 'idle_prompt').length === 2);
  expect(events.at(-1)).toMatchObject({ isAnswered: false });
  expect(network.stillHere).toHaveLength(1);
});

test('the person who does not answer loses the session, and gets another by sending something', async () => {
  const { terminal, events } = makeTerminal({ isStillHere: () => new Promise(() => {}) });
  await terminal.start(['text']);
  network.report({ type: 'idle_prompt', closesInMs: 40 });
  await until(() => events.some(({ type }) => type === 'idle_prompt'));
  expect(events.at(-1)).toMatchObject({ isAnswered: false });
  network.report({ type: 'closing', reason: 'idle' });
  for (const relay of network.relays) relay.close();
  await until(() => events.some(({ type }) => type === 'session_lost'));
  await pause(700);
  expect(network.asked).toHaveLength(1);
  expect(network.relays.size).toBe(0);
  expect(await terminal.sendText('bob', 'hello')).toEqual({ via: 'proxy' });
  expect(network.asked).toHaveLength(2);
});

test('several connections that ask whether the user is there are one question', async () => {
  let questions = 0;
  const { terminal } = makeTerminal({
    isStillHere: async () => {
      questions++;
      await pause(20);
      return true;
    },
  });
  await terminal.start(['text', 'voice', 'image']);
  network.report({ type: 'idle_prompt', closesInMs: 1000 });
  await until(() => network.stillHere.length === 3);
  expect(questions).toBe(1);
});

test('its statistics are every octet of its connections, by content type and payer', async () => {
  const { terminal } = makeTerminal({ statistics: { period: 'month' } });
  await terminal.start(['text']);
  await terminal.send('voice', 'bob', Buffer.alloc(5000));
  network.turnsAway = 'host_not_allowed';
  await terminal.download(new URL(`http://127.0.0.1:${mediaPort}/3000`), 'image');
  const open = terminal.statistics();
  expect(open.find(({ contentType }) => contentType === 'voice')?.sponsoredOctets).toBeGreaterThan(10_000);
  await terminal.stop();
  const rows = terminal.statistics();
  const sum = (of: 'sponsoredOctets' | 'subscriberOctets') => rows.reduce((total, row) => total + row[of], 0);
  const { proxy, direct, control } = terminal.octets();
  const octets = (path: typeof proxy) => path.uplinkOctets + path.downlinkOctets;
  expect(sum('sponsoredOctets')).toBe(octets(proxy));
  expect(sum('subscriberOctets')).toBe(octets(direct) + octets(control));
  expect(rows.map(({ contentType }) => contentType)).toEqual(['control', 'image', 'text', 'voice']);
});

test('after a proxy’s death it gets another session, and listens again', async () => {
  const { terminal, events, messages } = makeTerminal();
  await terminal.start(['text']);
  await network.killProxy();
  await network.startProxy();
  await until(() => events.filter(({ type }) => type === 'session').length === 2);
  await until(() => network.relays.size === 1);
  expect(await terminal.sendText('bob', 'hello')).toEqual({ via: 'proxy' });
  await until(() => messages.length === 1);
});

test('a proxy that turns every session away is not asked for more and more of them', async () => {
  const { terminal } = makeTerminal();
  network.turnsAway = 'session_unknown';
  for (let message = 0; message < 3; message++) {
    expect(await terminal.sendText('bob', 'hello')).toEqual({ via: 'direct', reason: 'session_unknown' });
  }
  expect(network.asked).toHaveLength(3);
});

test('a proxy that is gone while another is not there yet: direct, and the session is forgotten', async () => {
  const { terminal } = makeTerminal();
  await terminal.start([]);
  await network.killProxy();
  const sent = await terminal.sendText('bob', 'hello');
  expect(sent).toEqual({ via: 'direct', reason: 'proxy_unreachable' });
});

test('stopping twice, or without a session, is no fault', async () => {
  network.sessions = [REFUSED];
  const { terminal } = makeTerminal();
  await terminal.start([]);
  await terminal.stop();
  await terminal.stop();
  expect(network.ended).toEqual([]);
});

test('the application states the account for the identity assertion of each session, and without that nothing is asked', async () => {
  const bound: string[] = [];
  let identities = 0;
  const { terminal } = makeTerminal({
    identityAssertion: async () => `identity-${++identities}`,
    accountAssertion: async (identityAssertion) => `account of ${bound[bound.push(identityAssertion) - 1]}`,
  });
  await terminal.start(['text']);
  expect(network.asked).toMatchObject([{ identityAssertion: 'identity-1', accountAssertion: 'account of identity-1' }]);
  const { terminal: loggedOut, events } = makeTerminal({
    accountAssertion: () => Promise.reject(new Error('log in first')),
  });
  await loggedOut.start(['text']);
  expect(network.asked).toHaveLength(1);
  expect(events).toContainEqual(
    expect.objectContaining({ type: 'refused', reason: 'assertion_unavailable', message: 'log in first' }),
  );
});
