import { mkdtempSync, rmSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Clock, systemClock } from '../platform/clock.ts';
import { Secret } from '../platform/secret.ts';
import { Application, typeIndex } from './applications.ts';
import { FlowMarks } from './flow-marks.ts';
import { Session } from './session.ts';
import { SessionRegistry } from './session-registry.ts';
import { Tunnel } from './tunnel.ts';
import { UsageSpool } from './usage-spool.ts';

const MUCH = Buffer.alloc(100_000);
let directory: string;
let nowMs: number;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'zerorate-tunnel-'));
  nowMs = 0;
});
afterEach(() => rmSync(directory, { recursive: true }));

/** A connection whose other side takes what is written when the test says so. */
class HeldSocket extends Duplex {
  bytesRead = 0;
  bytesWritten = 0;
  #done: (() => void) | null = null;

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.bytesWritten += chunk.length;
    this.#done = done;
  }

  async taken(): Promise<void> {
    this.#done?.();
    await settled();
  }

  async say(octets: Buffer): Promise<void> {
    this.bytesRead += octets.length;
    this.push(octets);
    await settled();
  }
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

async function open(): Promise<{ tunnel: Tunnel; terminal: HeldSocket; host: HeldSocket }> {
  const logger = pino({ level: 'silent' });
  const clock: Clock = { ...systemClock, monotonicMs: () => nowMs };
  const spool = new UsageSpool(join(directory, 'usage.spool'));
  spool.start();
  const times = { idleMs: 1000, promptMs: 1000, stalledMs: 1000, statisticsIntervalMs: 1000 };
  const registry = new SessionRegistry({ spool, clock, logger, capacitySessions: 1, ...times, report: () => {} });
  const terms = {
    revision: 1,
    sessionId: 'session',
    tokenId: 'token',
    subscriber: 'ab'.repeat(16),
    sponsorId: 'chatter',
    applicationId: 'chat',
    applicationAccount: 'alice',
    terminalIp: '127.0.0.1',
    sessionKey: 'A'.repeat(43),
    contentShares: { other: 10_000 },
    sponsoredOctetsCap: 2 ** 40,
    atCap: 'stop',
    state: 'open',
  } as const;
  const session = new Session(terms, spool, 0);
  const [terminal, host] = [new HeldSocket(), new HeldSocket()];
  const socket = terminal as unknown as Socket;
  const application = new Application(
    { applicationId: 'chat', hosts: [], allowPrivate: [] },
    { resolve: async () => [], resolveMs: 1 },
  );
  const tunnel = new Tunnel(
    { raw: socket, stream: socket, admitted: () => {} },
    { session, application, type: typeIndex('other'), contentType: 'other', destination: null },
    { registry, clock, marks: new FlowMarks({ gateway: null, secret: new Secret(''), logger }) },
  );
  await tunnel.open(host as unknown as Socket, 'hello', Buffer.alloc(0));
  await terminal.taken();
  return { tunnel, terminal, host };
}

test('a tunnel is blocked since the side that takes nothing began to, though there is always one', async () => {
  const { tunnel, terminal, host } = await open();
  expect(tunnel.blockedSinceMs).toBeNull();
  await host.say(MUCH);
  nowMs = 10;
  await terminal.say(MUCH);
  expect(tunnel.blockedSinceMs).toBe(0);
  nowMs = 20;
  await terminal.taken();
  expect(tunnel.blockedSinceMs).toBe(10);
  nowMs = 30;
  await host.say(MUCH);
  await host.taken();
  expect(tunnel.blockedSinceMs).toBe(30);
  await terminal.taken();
  expect(tunnel.blockedSinceMs).toBeNull();
});

test('what one side does not take is not read from the other', async () => {
  const { terminal, host } = await open();
  await host.say(MUCH);
  await host.say(MUCH);
  expect(host.isPaused()).toBe(true);
  expect(terminal.isPaused()).toBe(false);
  expect(terminal.bytesWritten).toBe('hello'.length + MUCH.length);
  await terminal.taken();
  expect(terminal.bytesWritten).toBe('hello'.length + 2 * MUCH.length);
});
