import { rm } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { basic, echo, openTunnel, startGateway, startUpstream, startWorld, until } from './proxy.fixture.ts';

/** How a stop takes the end of a session whose tunnel waits for its mark. */
async function stopWhileMarking(wait: () => Promise<unknown>) {
  const gateway = await startGateway();
  const upstream = await startUpstream(echo);
  const hosts = [{ host: '127.0.0.1', ports: [upstream.port], contentType: 'image' }];
  const more = { gateway: { url: gateway.url, timeoutMs: 10_000 } };
  const { proxy, dispatch, directory } = await startWorld({ application: { zeroRatingTag: 'chatter', hosts }, more });
  onTestFinished(async () => {
    gateway.stop();
    await upstream.stop();
    await dispatch.stop();
    await rm(directory, { recursive: true });
  });
  gateway.wait = wait;
  const granted = await dispatch.grant();
  void openTunnel(proxy.endpoints.connect, `127.0.0.1:${upstream.port}`, { authorization: basic(granted) });
  await until(() => gateway.marks.length === 1);
  const startMs = Date.now();
  await proxy.stop();
  const reports = dispatch.reportsOf(granted.terms.sessionId);
  return { tookMs: Date.now() - startMs, reports, waiting: proxy.figures().reportsWaiting };
}

test.each([
  ['which comes within the time of the stop', () => pause(2500)],
  ['which does not come in time', () => new Promise(() => {})],
])('a stop waits for the answer to a mark, %s, and reports the end of its session', async (_, wait) => {
  const { tookMs, reports, waiting } = await stopWhileMarking(wait);
  expect(reports.at(-1)).toMatchObject({ kind: 'end', ending: 'proxy_stopped' });
  expect(waiting).toBe(0);
  expect(tookMs).toBeLessThan(6000);
});
