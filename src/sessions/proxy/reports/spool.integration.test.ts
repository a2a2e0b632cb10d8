import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { builtModule } from '../../../../test/servers/built.ts';
import { FakeDispatch, SECRET, SECRET_VARIABLE } from '../fake-dispatch.fixture.ts';
import { basic, configOf, openTunnel, readAll, startUpstream, type Upstream, until } from '../proxy.fixture.ts';

const READ_OCTETS = 65_536;
let main: string;
let directory: string;
let dispatch: FakeDispatch;
let upstream: Upstream;
let child: ChildProcess;
let connectUrl: string;

async function start(): Promise<void> {
  const args = [main, 'proxy', '--config', join(directory, 'proxy.yaml')];
  const env = { ...process.env, [SECRET_VARIABLE]: SECRET };
  child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'inherit'] });
  if (child.stdout === null) throw new Error('it has no output');
  const [line] = await once(createInterface({ input: child.stdout }), 'line');
  connectUrl = String(line).split(' ')[1];
}

async function kill(signal: NodeJS.Signals): Promise<number | null> {
  const exited = once(child, 'exit');
  child.kill(signal);
  return (await exited)[0];
}

beforeAll(async () => {
  main = await builtModule('main.js');
  directory = await mkdtemp(join(tmpdir(), 'zerorate-proxy-spool-'));
  dispatch = new FakeDispatch();
  await dispatch.start();
  const block = Buffer.alloc(100_000);
  upstream = await startUpstream((socket) => {
    const more = (): void => {
      while (!socket.destroyed && socket.write(block));
    };
    socket.on('drain', more);
    more();
  });
  const application = { hosts: [{ host: 'localhost', ports: [upstream.port] }] };
  await writeFile(join(directory, 'proxy.yaml'), configOf(dispatch, directory, { application }));
  await start();
});
afterAll(async () => {
  if (child?.exitCode === null && child.signalCode === null) await kill('SIGKILL');
  await dispatch?.stop();
  await upstream?.stop();
  await rm(directory, { recursive: true });
});

async function download(received: { octets: number }) {
  const granted = await dispatch.grant();
  const { socket } = await openTunnel(connectUrl, `localhost:${upstream.port}`, { authorization: basic(granted) });
  socket.on('data', (chunk: Buffer) => {
    received.octets += chunk.length;
  });
  return { socket, sessionId: granted.terms.sessionId };
}

const ended = (sessionId: string) =>
  until(() => dispatch.reportsOf(sessionId).some(({ kind }) => kind === 'end'), 'an end report');

test.each([1, 2, 3])(
  'a proxy that is killed in the middle of transfers has counted what passed, and reports it once: %i',
  async () => {
    const received = { octets: 0 };
    const sessions: { socket: Socket; sessionId: string }[] = [];
    for (let at = 0; at < 4; at++) sessions.push(await download(received));
    await until(() => received.octets > 20_000_000);
    await dispatch.stop();
    const before = received.octets;
    await until(() => received.octets > before + 20_000_000);
    await kill('SIGKILL');
    await Promise.all(sessions.map(({ socket }) => readAll(socket)));
    dispatch.lostAnswers = 1;
    await dispatch.start();
    await start();
    for (const { sessionId } of sessions) await ended(sessionId);
    let counted = 0;
    for (const { sessionId } of sessions) {
      const reports = dispatch.reportsOf(sessionId);
      expect(reports.at(-1)).toMatchObject({ kind: 'end', ending: 'proxy_stopped' });
      expect(reports.map(({ sequence }) => sequence)).toEqual(reports.map((_, at) => at + 1));
      // Its numbers do not begin again: a renewal that comes before its end is known finds it over.
      expect(await dispatch.announceAgain(sessionId)).toBe(409);
      counted += dispatch.octetsOf(sessionId).downlinkOctets;
    }
    const answers = sessions.length * 'HTTP/1.1 200 Connection established\r\n\r\n'.length;
    // What was on its way in the kernel's buffers when the connection broke was passed on, too, and did not arrive.
    expect(counted).toBeGreaterThanOrEqual(received.octets + answers);
    expect(counted - received.octets - answers).toBeLessThan(sessions.length * 8 * 1024 * 1024 + READ_OCTETS);
  },
);

test('one that is stopped ends its sessions, reports them, and exits with 0', async () => {
  const received = { octets: 0 };
  const { socket, sessionId } = await download(received);
  await until(() => received.octets > 1_000_000);
  const closed = readAll(socket);
  socket.on('end', () => socket.end());
  expect(await kill('SIGTERM')).toBe(0);
  await closed;
  expect(dispatch.reportsOf(sessionId).at(-1)).toMatchObject({ kind: 'end', ending: 'proxy_stopped' });
  const answer = 'HTTP/1.1 200 Connection established\r\n\r\n'.length;
  expect(dispatch.octetsOf(sessionId).downlinkOctets).toBe(received.octets + answer);
});

test('one that starts while the dispatch server is away knows its keys still', async () => {
  await start();
  const granted = await dispatch.grant();
  const { controlUrl } = dispatch;
  await dispatch.stop();
  await kill('SIGTERM');
  await start();
  // The dispatch server is away for the proxy; what it announces comes through.
  expect(controlUrl).not.toBe('');
  const { status, reason } = await openTunnel(connectUrl, `localhost:${upstream.port}`, {
    authorization: basic(granted),
  });
  expect({ status, reason }).toEqual({ status: 403, reason: 'session_unknown' });
  await dispatch.start();
});
