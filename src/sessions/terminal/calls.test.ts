import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { CallHost } from '../../development/call-host.ts';
import { acceptSocks5, socks5Reply } from '../../platform/network/socks5.ts';
import { parseSocks5Datagram, socks5Datagram } from '../../platform/network/socks5-datagram.ts';
import { ScriptedNetwork } from './terminal.fixture.ts';
import { Terminal } from './terminal.ts';
import { directDial } from './terminal-dial.ts';
import type { TerminalEvent } from './terminal-event.ts';

let network: ScriptedNetwork;
let host: CallHost;
let to: { host: string; port: number };
const endings: (() => unknown)[] = [];

beforeEach(async () => {
  network = new ScriptedNetwork();
  await network.start();
  host = new CallHost();
  to = { host: '127.0.0.1', port: await host.start('127.0.0.1') };
});
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
  await Promise.all([network.stop(), host.stop()]);
});

/** A proxy's SOCKS5 that sends all datagrams back; `breaks` says after how many the association is closed. */
async function startSocks5({ refuses = false, breaks = Number.POSITIVE_INFINITY } = {}) {
  const counts = { associations: 0, uplinkOctets: 0, downlinkOctets: 0 };
  const serve = async (control: Socket) => {
    control.on('error', () => {});
    const request = await acceptSocks5(control, (credentials) => credentials);
    if (request === null || refuses) return void control.end(socks5Reply('general_failure'));
    counts.associations++;
    let datagrams = 0;
    const socket = createSocket('udp4');
    socket.on('message', (octets, { address, port }) => {
      counts.uplinkOctets += octets.length;
      if (++datagrams > breaks) return void control.end();
      const parsed = parseSocks5Datagram(octets);
      if (parsed.fault !== undefined) throw new Error(parsed.fault);
      const answer = socks5Datagram({ peer: parsed.peer, payload: parsed.payload });
      counts.downlinkOctets += answer.length;
      socket.send(answer, port, address);
    });
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    control.on('close', () => socket.close());
    control.on('end', () => control.end()).resume();
    control.write(socks5Reply('succeeded', { host: '127.0.0.1', port: socket.address().port }));
  };
  const server = createServer({ allowHalfOpen: true }, (control) => void serve(control));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  endings.push(() => server.close());
  const at = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const endpoints = { connect: `http://${at}`, socks5: `socks5://${at}`, relay: `ws://${at}` };
  network.sessions = [{ proxy: { proxyId: 'proxy-1', region: 'here', endpoints } }];
  return counts;
}

function startTerminal() {
  const events: TerminalEvent[] = [];
  const terminal = new Terminal({
    msisdn: '15550100001',
    identityAssertion: async () => 'assertion',
    applicationId: 'chatter',
    applicationAccount: 'alice',
    dispatchUrl: network.dispatchUrl,
    directRelayUrl: 'ws://127.0.0.1:9/messages',
    dial: directDial,
    onEvent: (event) => events.push(event),
  });
  endings.push(() => terminal.stop());
  return { terminal, events };
}

test.each(['voice', 'video'] as const)(
  'a %s call goes through the association at its pace, and every octet is counted',
  async (contentType) => {
    const socks5 = await startSocks5();
    const { terminal } = startTerminal();
    const { delivery, proxy, direct } = await terminal.call(to, { contentType, durationMs: 600 });
    expect(delivery).toEqual({ via: 'proxy' });
    expect(proxy.sentDatagrams).toBe(contentType === 'voice' ? 30 : 38);
    expect(proxy.receivedOctets).toBe(proxy.sentOctets);
    expect(direct.sentDatagrams).toBe(0);
    const headers = proxy.sentDatagrams * 10;
    expect(socks5.uplinkOctets).toBe(proxy.sentOctets + headers);
    // The control connection is counted with it: greeting, credentials, request and their answers.
    const { uplinkOctets, downlinkOctets } = terminal.octets().proxy;
    expect(downlinkOctets).toBe(socks5.downlinkOctets + 2 + 2 + 10);
    expect(uplinkOctets - socks5.uplinkOctets).toBe(3 + 3 + 36 + 43 + 10);
  },
);

test('a call that the proxy refuses goes direct, with the reason', async () => {
  await startSocks5({ refuses: true });
  const { terminal, events } = startTerminal();
  const { delivery, proxy, direct } = await terminal.call(to, { contentType: 'voice', durationMs: 200 });
  expect(delivery).toEqual({ via: 'direct', reason: 'too_many_connections' });
  expect([proxy.sentDatagrams, direct.sentDatagrams, direct.receivedDatagrams]).toEqual([0, 10, 10]);
  expect(events).toContainEqual({ type: 'direct', contentType: 'voice', reason: 'too_many_connections' });
  expect(host.counts.datagrams).toBe(10);
});

test('a call whose first datagram ends the association goes direct', async () => {
  await startSocks5({ breaks: 0 });
  const { terminal } = startTerminal();
  const { delivery, direct } = await terminal.call(to, { contentType: 'voice', durationMs: 200 });
  expect(delivery).toEqual({ via: 'direct', reason: 'call_refused' });
  expect(direct.receivedDatagrams).toBe(10);
});

test('a call whose association ends continues in another one', async () => {
  const socks5 = await startSocks5({ breaks: 10 });
  const { terminal } = startTerminal();
  const { delivery, proxy } = await terminal.call(to, { contentType: 'voice', durationMs: 1200 });
  expect(delivery).toEqual({ via: 'proxy' });
  expect(socks5.associations).toBeGreaterThan(1);
  expect(proxy.receivedDatagrams).toBeGreaterThanOrEqual(11);
});

test('without a session, and without a proxy, a call goes direct', async () => {
  network.sessions = [{ reason: 'quota_exhausted', message: 'nothing is left' }];
  const { terminal } = startTerminal();
  const { delivery, direct } = await terminal.call(to, { contentType: 'voice', durationMs: 100 });
  expect(delivery).toEqual({ via: 'direct', reason: 'quota_exhausted' });
  expect(terminal.octets().direct).toEqual({ uplinkOctets: direct.sentOctets, downlinkOctets: direct.receivedOctets });
  expect(direct.receivedDatagrams).toBe(5);
});
