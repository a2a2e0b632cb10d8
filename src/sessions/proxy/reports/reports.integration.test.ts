import { randomBytes, randomUUID } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  basic,
  echo,
  openTunnel,
  startUpstream,
  startWorld,
  type Upstream,
  until,
  type World,
} from '../proxy.fixture.ts';

let world: World;
let upstream: Upstream;
beforeEach(async () => {
  upstream = await startUpstream(echo);
  world = await startWorld({ application: { hosts: [{ host: '127.0.0.1', ports: [upstream.port] }] } });
});
afterEach(async () => {
  await world.stop();
  await upstream.stop();
});

/** A session with a tunnel that some octets have passed. */
async function session() {
  const granted = await world.dispatch.grant();
  const destination = `127.0.0.1:${upstream.port}`;
  const { socket, status } = await openTunnel(world.proxy.endpoints.connect, destination, {
    authorization: basic(granted),
  });
  expect(status).toBe(200);
  socket.resume();
  socket.write(Buffer.alloc(1000));
  return { sessionId: granted.terms.sessionId, socket, granted, destination };
}

const end = ({ granted }: Awaited<ReturnType<typeof session>>) =>
  world.dispatch.announce({ ...granted.terms, revision: 2, state: 'ended' });

const kept = () =>
  readFileSync(join(world.directory, 'proxy-1', 'refused-reports.ndjson'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
const endOf = (sessionId: string) => () => world.dispatch.reportsOf(sessionId).some(({ kind }) => kind === 'end');

describe('a report that the dispatch server refuses', () => {
  test('is kept in a file with its reason and content, and holds up neither its session nor another', async () => {
    const [odd, good] = [await session(), await session()];
    world.dispatch.refuses = (report) =>
      report.sessionId === odd.sessionId && report.usage.length > 0 ? 'in_future' : null;
    await until(() => world.proxy.figures().reportsRefused.in_future === 1, 'a refusal');
    good.socket.destroy();
    await until(() => world.dispatch.octetsOf(good.sessionId).uplinkOctets > 1000, 'the other session’s report');
    world.dispatch.refuses = () => null;
    odd.socket.write(Buffer.alloc(500));
    await until(() => world.dispatch.octetsOf(odd.sessionId).uplinkOctets >= 500, 'the session’s next report');
    const [line] = kept();
    expect(line).toMatchObject({ reason: 'in_future', message: 'by the test', report: { sessionId: odd.sessionId } });
    expect(line.refusedAtMs).toBeGreaterThan(0);
    const [{ uplinkOctets }] = line.report.usage;
    expect(uplinkOctets + world.dispatch.octetsOf(odd.sessionId).uplinkOctets).toBeGreaterThanOrEqual(1500);
    expect(statSync(join(world.directory, 'proxy-1', 'refused-reports.ndjson')).mode & 0o777).toBe(0o600);
    const metrics = await fetch(`${world.proxy.controlUrl}/metrics`, {
      headers: { authorization: 'Bearer the secret of the proxy under test' },
    });
    expect(await metrics.text()).toContain('zerorate_proxy_reports_refused_total{reason="in_future"} 1');
  });

  test.each([400, 413, 422])('with its whole message, by %i, is found and kept; all others arrive', async (status) => {
    const sessions = [await session(), await session(), await session()];
    const [, odd] = sessions;
    world.dispatch.statusOf = (reports) =>
      reports.some(({ sessionId }) => sessionId === odd.sessionId) ? status : null;
    const others = sessions.filter((each) => each !== odd);
    for (const each of sessions) await end(each);
    for (const { sessionId } of others) await until(endOf(sessionId), 'an end report');
    await until(() => kept().length > 0, 'the odd one');
    expect(new Set(kept().map(({ report }) => report.sessionId))).toEqual(new Set([odd.sessionId]));
    expect(world.proxy.health.problems).not.toHaveProperty('dispatch');
  });

  test('for who sent it, or for a fault of the server, is none: it waits', async () => {
    const one = await session();
    for (const status of [401, 403, 429, 500, 503]) {
      world.dispatch.statusOf = () => status;
      await until(() => world.proxy.health.problems.dispatch?.includes(`status ${status}`) ?? false, `${status}`);
    }
    await end(one);
    expect(kept).toThrow(/ENOENT/);
    world.dispatch.statusOf = () => null;
    await until(endOf(one.sessionId), 'its end report');
  });
});

describe('a session that is resumed', () => {
  test('accepts the token of now, none of before, and begins its message numbers again', async () => {
    const { granted, destination } = await session();
    const renewed = { ...granted.terms, revision: 2, tokenId: randomUUID() };
    await world.dispatch.announce(renewed);
    const open = async (token: string) => {
      const authorization = basic({ terms: granted.terms, token });
      const { status, reason, socket } = await openTunnel(world.proxy.endpoints.connect, destination, {
        authorization,
      });
      socket.destroy();
      return reason ?? status;
    };
    // A renewal replaces nothing: its answer may have been lost.
    expect(await open(granted.token)).toBe(200);
    expect(await open(await world.dispatch.sign(renewed))).toBe(200);
    const sessionKey = randomBytes(32).toString('base64url');
    const resumed = { ...renewed, revision: 4, tokenId: randomUUID(), sessionKey };
    await world.dispatch.announce(resumed);
    expect(await open(granted.token)).toBe('token_invalid');
    expect(await open(await world.dispatch.sign(renewed))).toBe('token_invalid');
    expect(await open(await world.dispatch.sign(resumed))).toBe(200);
    // An announcement that comes late: its token is good, too, and its key is the one of now.
    const late = { ...resumed, revision: 3, tokenId: randomUUID() };
    await world.dispatch.announce(late);
    expect(await open(await world.dispatch.sign(late))).toBe(200);
  });
});

describe('the clock of the proxy', () => {
  test('is corrected by the measured skew for tokens, up to the bound, and reported in health beyond it', async () => {
    const { granted, destination } = await session();
    const seconds = Math.floor(Date.now() / 1000);
    const open = async (claims: { iat: number; exp: number }) => {
      const authorization = basic({ terms: granted.terms, token: await world.dispatch.sign(granted.terms, claims) });
      const { status, reason, socket } = await openTunnel(world.proxy.endpoints.connect, destination, {
        authorization,
      });
      socket.destroy();
      return reason ?? status;
    };
    // By the dispatch server's clock, which is 4 s behind, this token has 2 s to go.
    const short = { iat: seconds - 300, exp: seconds - 2 };
    expect(await open(short)).toBe('token_expired');
    world.dispatch.clockSkewMs = 4000;
    await until(() => Math.abs(world.proxy.figures().clockSkewMs - 4000) < 1000, 'a measurement');
    expect(await open(short)).toBe(200);
    world.dispatch.clockSkewMs = 3_600_000;
    await until(() => 'clock_skew' in world.proxy.health.problems, 'a problem of the clock');
    expect(world.proxy.health.problems.clock_skew).toMatch(/off by .* ms/);
    // No more than the bound of 5 s.
    expect(await open({ iat: seconds - 300, exp: seconds - 60 })).toBe('token_expired');
    world.dispatch.clockSkewMs = 0;
    await until(() => !('clock_skew' in world.proxy.health.problems), 'a good clock');
  });
});
