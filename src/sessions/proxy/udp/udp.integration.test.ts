import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { Granted } from '../fake-dispatch.fixture.ts';
import { gone, until } from '../proxy.fixture.ts';
import {
  associated,
  clients,
  drops,
  gateway,
  IDLE_MS,
  names,
  opened,
  six,
  toVoice,
  useCallWorld,
  video,
  voice,
  world,
} from './call-world.fixture.ts';

useCallWorld();

describe('octets', () => {
  test.each([
    ['IPv4', () => toVoice(), '127.0.0.1'],
    ['a name', () => ({ host: 'A.chat.example.', port: voice.port }), '127.0.0.1'],
    ['IPv6', () => ({ host: '::1', port: six.port }), '0:0:0:0:0:0:0:1'],
  ])('of a call to %s are the UDP payload, headers and control connection included', async (_, to, peer) => {
    const { granted, client } = await associated();
    for (let sent = 0; sent < 50; sent++) await client.send(to(), `datagram ${sent}`);
    await until(() => client.received.length === 50);
    expect(client.texts).toEqual(Array.from({ length: 50 }, (_, sent) => `datagram ${sent}`));
    expect(client.received[0].peer).toEqual({ host: peer, port: to().port });
    await client.close();
    const { sessionId } = granted.terms;
    await until(() => world.dispatch.octetsOf(sessionId).downlinkOctets > 0);
    await world.dispatch.announce({ ...granted.terms, revision: 2, state: 'ended' });
    await until(() => world.dispatch.reportsOf(sessionId).at(-1)?.kind === 'end');
    expect(world.dispatch.octetsOf(sessionId)).toEqual(client.totals());
    const usage = world.dispatch.reportsOf(sessionId).flatMap((report) => report.usage);
    expect(new Set(usage.map(({ contentType }) => contentType))).toEqual(new Set(['voice']));
    clients.length = 0;
  });

  test('what was dropped on the way is counted too: the network has metered it', async () => {
    const { granted, client } = await associated();
    await client.sendRaw(Buffer.of(0, 0, 1, 1, 127, 0, 0, 1, 0, 80, 65));
    await client.send(toVoice(), 'first');
    await until(() => client.received.length === 1);
    await client.sendRaw(Buffer.alloc(100, 9));
    await client.send({ host: '127.0.0.1', port: 9 }, 'elsewhere');
    await client.sendRaw(Buffer.alloc(3000));
    await client.close();
    clients.length = 0;
    const { sessionId } = granted.terms;
    await until(() => world.dispatch.octetsOf(sessionId).uplinkOctets === client.totals().uplinkOctets);
    expect(world.dispatch.octetsOf(sessionId)).toEqual(client.totals());
  });

  test('an association without a datagram that it may send costs nothing', async () => {
    const { granted, client } = await associated();
    await client.sendRaw(Buffer.of(1, 2, 3));
    await client.close();
    clients.length = 0;
    await until(() => world.proxy.figures().associations === 0);
    expect(world.dispatch.octetsOf(granted.terms.sessionId)).toEqual({ uplinkOctets: 0, downlinkOctets: 0 });
    expect(gateway.marks).toEqual([]);
  });
});

describe('marks', () => {
  test('the flow of datagrams and the control connection have the tag; at the end the flow has it no more', async () => {
    const { client } = await associated();
    await client.send(toVoice(), 'hello');
    await until(() => client.received.length === 1);
    const of = { zeroRatingTag: 'CALL', contentType: 'voice', terminalIp: '127.0.0.1' };
    const flow = { ...of, protocol: 17, proxyPort: client.relay.port, terminalPort: client.port };
    const control = { ...of, protocol: 6, terminalPort: client.control.localPort };
    expect(gateway.marks).toEqual(
      expect.arrayContaining([expect.objectContaining(flow), expect.objectContaining(control)]),
    );
    expect(gateway.marks.length).toBe(2);
    await client.close();
    clients.length = 0;
    await until(() => gateway.marks.length === 3);
    expect(gateway.marks[2]).toMatchObject({ ...flow, zeroRatingTag: null });
  });

  test.each([
    ['the control connection', 6, [17, null], ['uplinkOctets']],
    ['the flow of datagrams', 17, [6, 'CALL'], ['uplinkOctets', 'downlinkOctets']],
  ])(
    'of a terminal that has left %s: what the network has marked is reported, and is marked no longer',
    async (_, protocol, last, counted) => {
      gateway.answer = (mark) => ({ ended: mark.protocol === protocol ? [0] : [], unknown: [] });
      const { granted, client } = await associated();
      await client.send(toVoice(), 'hello');
      await gone(client.control);
      clients.length = 0;
      await until(() => world.proxy.figures().associations === 0);
      const { terms } = granted;
      await world.dispatch.announce({ ...terms, revision: 2, state: 'ended' });
      await until(() => world.dispatch.reportsOf(terms.sessionId).at(-1)?.kind === 'end');
      const reported = Object.entries(world.dispatch.octetsOf(terms.sessionId)).filter(([, octets]) => octets > 0);
      expect(reported.map(([way]) => way)).toEqual(counted);
      expect(gateway.marks.map(({ protocol, zeroRatingTag }) => [protocol, zeroRatingTag])).toContainEqual(last);
    },
  );

  test('at the cap of a session that continues, both lose the tag, and what follows is in no report', async () => {
    const { granted, client } = await associated({ sponsoredOctetsCap: 5000, atCap: 'subscriber_pays' });
    for (let sent = 0; sent < 20; sent++) {
      await client.send(toVoice(), Buffer.alloc(500));
      await until(() => client.received.length === sent + 1);
    }
    await until(() => gateway.marks.filter(({ zeroRatingTag }) => zeroRatingTag === null).length === 2);
    const { sessionId } = granted.terms;
    await until(() => world.dispatch.octetsOf(sessionId).uplinkOctets > 0);
    await pause(300);
    const { uplinkOctets, downlinkOctets } = world.dispatch.octetsOf(sessionId);
    expect(uplinkOctets + downlinkOctets).toBeGreaterThanOrEqual(5000);
    expect(uplinkOctets + downlinkOctets).toBeLessThan(5000 + 2 * 510);
  });
});

test('at the cap of a session that stops, the datagram that reaches it is the last; later ones are counted and dropped', async () => {
  const { granted, client } = await associated({ sponsoredOctetsCap: 5000 });
  for (let sent = 0; client.received.length * 2 * 510 < 5000 && sent < 20 && !client.control.readableEnded; sent++) {
    await client.send(toVoice(), Buffer.alloc(500));
    await pause(10);
  }
  await until(() => client.control.readableEnded);
  const passed = voice.received.length;
  await drops('session_over', 3, async () => {
    for (let late = 0; late < 3; late++) await client.send(toVoice(), Buffer.alloc(500));
  });
  expect(voice.received.length).toBe(passed);
  await client.close();
  clients.length = 0;
  await until(() => world.dispatch.reportsOf(granted.terms.sessionId).at(-1)?.ending === 'cap_reached');
  expect(world.dispatch.octetsOf(granted.terms.sessionId)).toEqual(client.totals());
});

describe('an association ends', () => {
  test.each(['end', 'destroy', 'resetAndDestroy'] as const)('with its control connection (%s)', async (how) => {
    const { client } = await associated();
    await client.send(toVoice(), 'hello');
    await until(() => client.received.length === 1);
    const startedAtMs = performance.now();
    client.control[how]();
    await pause(50);
    await client.send(toVoice(), 'late');
    await until(() => world.proxy.figures().associations === 0);
    expect(performance.now() - startedAtMs).toBeLessThan(IDLE_MS);
    expect(voice.received).toEqual(['hello']);
  });

  test('when nothing passes for its idle time', async () => {
    const { client } = await associated();
    await client.send(toVoice(), 'hello');
    await gone(client.control);
  });

  test('with its session', async () => {
    const { granted, client } = await associated();
    await client.send(toVoice(), 'hello');
    await until(() => client.received.length === 1);
    await world.dispatch.announce({ ...granted.terms, revision: 2, state: 'revoked' });
    await gone(client.control);
    await expect(opened(granted)).rejects.toThrow('reply 101');
  });

  test('when a control connection says more than there is to say', async () => {
    const { client } = await associated();
    const startedAtMs = performance.now();
    client.control.write(Buffer.alloc(100_000));
    await gone(client.control);
    expect(performance.now() - startedAtMs).toBeLessThan(IDLE_MS);
  });
});

describe('is refused', () => {
  test.each<[string, () => Promise<Granted>, string]>([
    ['with an expired token', () => world.dispatch.grant({ tokenExpiresAtMs: Date.now() - 1 }), 'reply 101'],
    ['from another address', () => world.dispatch.grant({ terminalIp: '127.0.0.2' }), 'reply 101'],
    ['with nothing left', () => world.dispatch.grant({ sponsoredOctetsCap: 0 }), 'reply'],
  ])('%s', async (_, grant, reply) => {
    await expect(opened(await grant())).rejects.toThrow(reply);
  });

  test('one too many of a session, of an address, of all', async () => {
    const granted = await world.dispatch.grant();
    for (let each = 0; each < 3; each++) await opened(granted);
    await expect(opened(granted)).rejects.toThrow('reply 1');
    const another = await world.dispatch.grant();
    for (let each = 0; each < 3; each++) await opened(another);
    await expect(opened(await world.dispatch.grant())).rejects.toThrow('reply 1');
    const localAddress = '127.0.0.3';
    const elsewhere = await world.dispatch.grant({ terminalIp: localAddress });
    for (let each = 0; each < 2; each++) await opened(elsewhere, { localAddress });
    await expect(opened(elsewhere, { localAddress })).rejects.toThrow('reply 1');
    expect(world.proxy.figures().associations).toBe(8);
  });

  test.each<[string, () => { host: string; port: number }]>([
    ['a host that is none of the application', () => ({ host: '127.0.0.9', port: voice.port })],
    ['a port that is none of the host', () => ({ host: '127.0.0.1', port: 53 })],
    ['a host for tunnels', () => ({ host: 'localhost', port: voice.port })],
    ['a private address', () => ({ host: '10.0.0.1', port: voice.port })],
    ['a private address within IPv6', () => ({ host: '::ffff:10.0.0.1', port: voice.port })],
    ['a name with a private address among its addresses', () => ({ host: 'both.chat.example', port: voice.port })],
    ['a name that is none', () => ({ host: 'none.chat.example', port: voice.port })],
    ['port 0', () => ({ host: '127.0.0.1', port: 0 })],
  ])('%s: the association is closed when it is the first, and the datagram dropped when it is not', async (_, to) => {
    const { client } = await associated();
    await drops('refused', 1, () => client.send(toVoice(), 'good').then(() => client.send(to(), 'bad')));
    await until(() => client.received.length === 1);
    const { client: other } = await associated();
    await other.send(to(), 'bad');
    await gone(other.control);
    expect(voice.received).toEqual(['good']);
  });

  test('content that the plan does not cover', async () => {
    const { client } = await associated({ contentShares: { text: 10_000 } });
    await client.send(toVoice(), 'hello');
    await gone(client.control);
    expect(voice.received).toEqual([]);
  });

  test('a host of another content type than the association’s', async () => {
    const { client } = await associated();
    await client.send(toVoice(), 'hello');
    await until(() => client.received.length === 1);
    await drops('other_content', 1, () => client.send({ host: '127.0.0.1', port: video.port }, 'hello'));
    expect(video.received).toEqual([]);
  });

  test('a host that is new once the token has expired', async () => {
    const { client } = await associated({ tokenExpiresAtMs: Date.now() + 300 });
    await client.send(toVoice(), 'hello');
    await until(() => client.received.length === 1);
    await pause(300);
    await drops('refused', 1, () => client.send({ host: 'a.chat.example', port: voice.port }, 'late'));
  });
});

test('a name that is bound to another address later is sent to where it was checked', async () => {
  const { client } = await associated();
  const to = { host: 'rebound.chat.example', port: voice.port };
  await client.send(to, 'before');
  await until(() => client.received.length === 1);
  names.set('rebound.chat.example', ['169.254.169.254']);
  await client.send(to, 'after');
  await until(() => client.received.length === 2);
  expect(voice.received).toEqual(['before', 'after']);
});

test('a proxy that stops reports what its calls have used', async () => {
  const { granted, client } = await associated();
  await client.send(toVoice(), 'hello');
  await until(() => client.received.length === 1);
  const stopped = world.restart();
  await client.close();
  clients.length = 0;
  await stopped;
  expect(world.dispatch.octetsOf(granted.terms.sessionId)).toEqual(client.totals());
  expect(world.dispatch.reportsOf(granted.terms.sessionId).at(-1)?.ending).toBe('proxy_stopped');
});
