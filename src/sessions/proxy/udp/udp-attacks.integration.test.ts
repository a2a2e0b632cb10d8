import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { Random } from '../../../generator/random.ts';
import { socks5Datagram } from '../../../platform/network/socks5-datagram.ts';
import { until } from '../proxy.fixture.ts';
import {
  associated,
  clients,
  dropped,
  drops,
  toVoice,
  useCallWorld,
  video,
  voice,
  world,
} from './call-world.fixture.ts';

const SEED = Number(process.env.FUZZ_SEED ?? Date.now() % 2 ** 31);

useCallWorld();

describe('attacks', () => {
  test('datagrams of another address or another port are dropped, before and after the first', async () => {
    const { granted, client } = await associated({}, { from: (port) => ({ host: '0.0.0.0', port }) });
    const strangers = ['127.0.0.1', '127.0.0.5'].map((address) => createSocket('udp4').bind(0, address));
    await Promise.all(strangers.map((socket) => once(socket, 'listening')));
    const datagram = socks5Datagram({ peer: toVoice(), payload: Buffer.from('stranger') });
    const intrude = async () => {
      for (const socket of strangers) await client.sendRaw(datagram, socket);
    };
    await drops('other_source', 2, intrude);
    await client.send(toVoice(), 'own');
    await until(() => client.received.length === 1);
    await drops('other_source', 2, intrude);
    for (const socket of strangers) socket.close();
    expect(voice.received).toEqual(['own']);
    await client.close();
    clients.length = 0;
    const { sessionId } = granted.terms;
    await until(() => world.dispatch.octetsOf(sessionId).uplinkOctets > 0);
    await pause(400);
    expect(world.dispatch.octetsOf(sessionId)).toEqual(client.totals());
  });

  test('answers come from hosts that were asked, from their port, and not for longer than the idle time', async () => {
    const { client } = await associated();
    await client.send(toVoice(), 'hello');
    await until(() => client.received.length === 1);
    const { address, port } = voice.from.at(-1) ?? { address: '', port: 0 };
    await drops('not_asked', 2, async () => {
      video.socket.send('amplified', port, address);
      video.socket.send('amplified', port, address);
    });
    await client.send({ host: 'a.chat.example', port: voice.port }, 'again');
    await until(() => client.received.length === 2);
    expect(client.texts).toEqual(['hello', 'again']);
  });

  test('fragments, headers that are none and large datagrams are dropped by their reasons', async () => {
    const { client } = await associated();
    await client.send(toVoice(), 'hello');
    await until(() => client.received.length === 1);
    const whole = socks5Datagram({ peer: toVoice(), payload: Buffer.from('part') });
    for (const fragment of [1, 2, 0x80, 0xff]) {
      await drops('fragmented', 1, () => client.sendRaw(Buffer.concat([Buffer.of(0, 0, fragment), whole.subarray(3)])));
    }
    await drops('malformed', 2, () => client.sendRaw(Buffer.alloc(0)).then(() => client.sendRaw(Buffer.alloc(9, 1))));
    await drops('too_large', 1, () => client.send(toVoice(), Buffer.alloc(2000)));
    expect(voice.received).toEqual(['hello']);
  });

  test('an answer that is too large is dropped', async () => {
    const { client } = await associated();
    await client.send(toVoice(), 'hello');
    await until(() => client.received.length === 1);
    const { address, port } = voice.from.at(-1) ?? { address: '', port: 0 };
    await drops('too_large', 1, async () => voice.socket.send(Buffer.alloc(1995), port, address));
  });

  test('destinations are bounded, and those that were there are still served', async () => {
    const { client } = await associated();
    await client.send(toVoice(), 'hello');
    await drops('too_many_destinations', 7, async () => {
      for (let host = 0; host < 10; host++) await client.send({ host: `${host}.chat.example`, port: voice.port }, 'x');
    });
    await client.send(toVoice(), 'still');
    await until(() => client.texts.includes('still'));
  });

  test('what waits for a name is bounded, and continues in its order when the name is known', async () => {
    const { client } = await associated();
    const before = dropped('queue_full');
    for (let sent = 0; sent < 40; sent++) {
      await client.send({ host: 'slow.chat.example', port: voice.port }, `${sent} ${'x'.repeat(1000)}`);
    }
    await until(() => dropped('queue_full') > before + 15);
    await until(() => voice.received.length === 19);
    expect(voice.received.map((text) => Number.parseInt(text, 10))).toEqual(Array.from({ length: 19 }, (_, at) => at));
  });

  test(`noise and a flood (seed ${SEED}) end nothing: every octet is counted, and a good datagram still passes`, async () => {
    const { granted, client } = await associated();
    await client.send(toVoice(), 'hello');
    await until(() => client.received.length === 1);
    const random = new Random(SEED);
    for (let sent = 0; sent < 3000; sent++) {
      const octets = Buffer.alloc(random.integer(0, 300));
      for (let at = random.integer(0, 4); at < octets.length; at++) octets[at] = random.integer(0, 255);
      await client.sendRaw(octets);
      if (sent % 50 === 0) await pause(2);
    }
    await client.send(toVoice(), 'still');
    await until(() => client.texts.at(-1) === 'still');
    await client.close();
    clients.length = 0;
    const { sessionId } = granted.terms;
    await until(() => world.dispatch.octetsOf(sessionId).uplinkOctets === client.totals().uplinkOctets);
    expect(world.dispatch.octetsOf(sessionId)).toEqual(client.totals());
  });
});
