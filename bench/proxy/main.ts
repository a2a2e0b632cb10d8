import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { cpus, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { packagePath } from '../../src/platform/package-paths.ts';
import { FakeDispatch, type Granted, SECRET, SECRET_VARIABLE } from '../../src/sessions/proxy/fake-dispatch.fixture.ts';
import { basic, configOf, openTunnel, startUpstream, until } from '../../src/sessions/proxy/proxy.fixture.ts';
import { type Child, script, startChild } from '../child.ts';
import { cpuSeconds } from '../process-figures.ts';
import { writeResults } from '../results.ts';
import { spread } from '../spread.ts';
import { type Load, type Moved, markdown } from './report.ts';
import { bare, byConnect, bySocks5, type Way } from './ways.ts';

const MIB = 2 ** 20;
const GIB = 2 ** 30;
const BLOCK = Buffer.alloc(MIB);
const LOAD_OCTETS = 30_000;

interface Options {
  mib: string;
  rounds: string;
  sessions: string;
  out: string;
}

const program = new Command('bench:proxy')
  .description(
    'Moves octets through tunnels of the proxy and through a bare relay, in turns, in processes of their own',
  )
  .option('--mib <n>', 'MiB that each way moves in a round', '512')
  .option('--rounds <n>', 'rounds', '5')
  .option('--sessions <n>', 'sessions at once', '1000')
  .option('--out <folder>', 'where the results go', packagePath('bench/results'));

interface Contender {
  name: string;
  way: Way;
  child: Child;
}

async function main(options: Options): Promise<void> {
  const [mib, rounds, sessions] = [options.mib, options.rounds, options.sessions].map(Number);
  const directory = await mkdtemp(join(tmpdir(), 'zerorate-bench-proxy-'));
  const dispatch = new FakeDispatch();
  await dispatch.start();
  const source = await startUpstream((socket) => send(socket, mib * MIB));
  const echo = await startUpstream((socket) => socket.pipe(socket));
  const hosts = [{ host: 'localhost', ports: [source.port, echo.port] }];
  await writeFile(join(directory, 'proxy.yaml'), configOf(dispatch, directory, { application: { hosts } }));
  const relay = await started(script(new URL('./bare-relay.ts', import.meta.url), [String(source.port)]));
  const args = [packagePath('dist/main.js'), 'proxy', '--config', join(directory, 'proxy.yaml')];
  const proxy = await started({ command: process.execPath, args, env: { [SECRET_VARIABLE]: SECRET } });
  try {
    const [, connectUrl, socks5Url] = proxy.line.split(' ');
    const granted = await dispatch.grant();
    const contenders: Contender[] = [
      { name: 'bare relay', way: bare(Number(relay.line.split(' ')[1])), child: relay.child },
      { name: 'CONNECT', way: byConnect(connectUrl, granted), child: proxy.child },
      { name: 'SOCKS5', way: bySocks5(socks5Url, granted), child: proxy.child },
    ];
    const moved = await move(contenders, source.port, mib * MIB, rounds);
    const load = await underLoad(dispatch, connectUrl, echo.port, sessions);
    const hardware = `${cpus().length} x ${cpus()[0].model}, ${Math.round(totalmem() / GIB)} GiB, Node ${process.version}`;
    const caption = `${hardware}; ${mib} MiB a round to one client over loopback; median of ${rounds} (least to most).`;
    await writeResults(options.out, 'proxy', { hardware, mib, rounds, moved, load }, markdown(caption, moved, load));
    if (!load.isExact) process.exitCode = 1;
  } finally {
    await Promise.all([relay.child.stop(), proxy.child.stop()]);
    await Promise.all([dispatch.stop(), source.stop(), echo.stop()]);
    await rm(directory, { recursive: true });
  }
}

async function started(command: Parameters<typeof startChild>[1]): Promise<{ child: Child; line: string }> {
  let child: Child | undefined;
  const line = await new Promise<string>((resolve, reject) => {
    child = startChild(command.args.join(' '), command, resolve);
    child.ended.catch(reject);
  });
  if (child === undefined) throw new Error('it did not start');
  return { child, line };
}

/** In turns, so that all meet the machine in the same moods. The first round warms up and does not count. */
async function move(contenders: readonly Contender[], port: number, octets: number, rounds: number): Promise<Moved[]> {
  const figures = contenders.map(() => ({ mibPerSecond: [] as number[], cpu: [] as number[], ratio: [] as number[] }));
  for (let round = 0; round <= rounds; round++) {
    let bareSpeed = 0;
    for (const [at, { way, child }] of contenders.entries()) {
      const cpuBefore = await cpuSeconds(child.pid);
      const speed = octets / MIB / (await download(way, port, octets));
      if (at === 0) bareSpeed = speed;
      if (round === 0) continue;
      figures[at].mibPerSecond.push(speed);
      figures[at].cpu.push(((await cpuSeconds(child.pid)) - cpuBefore) / (octets / GIB));
      figures[at].ratio.push(speed / bareSpeed);
    }
  }
  return contenders.map(({ name }, at) => ({
    name,
    mibPerSecond: spread(figures[at].mibPerSecond),
    cpuSecondsPerGib: spread(figures[at].cpu),
    ratio: spread(figures[at].ratio),
  }));
}

/** Seconds. */
async function download(way: Way, port: number, octets: number): Promise<number> {
  const socket = await way(port);
  const startedMs = performance.now();
  let received = 0;
  socket.on('data', (chunk: Buffer) => {
    received += chunk.length;
  });
  await once(socket, 'end');
  const seconds = (performance.now() - startedMs) / 1000;
  socket.end();
  if (received !== octets) throw new Error(`${received} octets arrived, not ${octets}`);
  return seconds;
}

function send(socket: Socket, octets: number): void {
  let left = octets;
  const more = (): void => {
    while (left > 0) {
      left -= BLOCK.length;
      if (!socket.write(BLOCK)) break;
    }
    if (left <= 0) socket.end();
  };
  socket.on('drain', more);
  more();
}

async function underLoad(dispatch: FakeDispatch, url: string, port: number, sessions: number): Promise<Load> {
  const granted: Granted[] = [];
  for (let at = 0; at < sessions; at++) granted.push(await dispatch.grant());
  const startedMs = performance.now();
  const block = Buffer.alloc(LOAD_OCTETS);
  const tunnels = await Promise.all(
    granted.map((each) => openTunnel(url, `localhost:${port}`, { authorization: basic(each) })),
  );
  await Promise.all(
    tunnels.map(async ({ socket }) => {
      socket.resume().write(block);
      while (socket.bytesRead < LOAD_OCTETS) await once(socket, 'data');
    }),
  );
  const seconds = (performance.now() - startedMs) / 1000;
  await Promise.all(tunnels.map(({ socket }) => once(socket.end(), 'close')));
  const isReported = (at: number) => {
    const { uplinkOctets, downlinkOctets } = dispatch.octetsOf(granted[at].terms.sessionId);
    return uplinkOctets === tunnels[at].socket.bytesWritten && downlinkOctets === tunnels[at].socket.bytesRead;
  };
  const all = () => tunnels.every((_, at) => isReported(at));
  const isExact = await until(() => dispatch.reports.length > 2 * sessions && all()).then(
    () => true,
    () => false,
  );
  const octets = tunnels.reduce((sum, { socket }) => sum + socket.bytesRead + socket.bytesWritten, 0);
  return { sessions, octets, seconds, isExact };
}

await main(program.parse().opts<Options>());
