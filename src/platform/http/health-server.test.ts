import { expect, test } from 'vitest';
import { Health } from './health.ts';
import { type MetricsText, startHealthServer } from './health-server.ts';

const HERE = { host: '127.0.0.1', port: 0 };
const NONE: MetricsText = { contentType: 'text/plain', metrics: async () => 'up 1\n' };

test('says whether the process lives and whether it is ready, and why not', async () => {
  const health = new Health();
  const server = await startHealthServer(health, NONE, HERE);
  const get = async (path: string, method = 'GET') => {
    const response = await fetch(`http://127.0.0.1:${server.port}${path}`, { method });
    return [response.status, await response.json()];
  };
  health.report('source', 'joining the group');
  expect(await get('/health/live')).toEqual([200, { live: true }]);
  expect(await get('/health/ready')).toEqual([503, { ready: false, problems: { source: 'joining the group' } }]);
  health.report('source', null);
  expect(await get('/health/ready')).toEqual([200, { ready: true, problems: {} }]);
  expect([await get('/live'), await get('/ready')]).toEqual([await get('/health/live'), await get('/health/ready')]);
  expect((await get('/'))[0]).toBe(404);
  expect((await get('/health/ready', 'POST'))[0]).toBe(405);
  await server.stop();
});

test('gives the metrics, or says why it cannot', async () => {
  let isBroken = false;
  const metrics = async () => {
    if (isBroken) throw new Error('no numbers');
    return 'zerorate_ready 1\n';
  };
  const server = await startHealthServer(new Health(), { contentType: 'text/plain; version=0.0.4', metrics }, HERE);
  const get = () => fetch(`http://127.0.0.1:${server.port}/metrics`);
  const answered = await get();
  expect([answered.status, answered.headers.get('content-type')]).toEqual([200, 'text/plain; version=0.0.4']);
  expect(await answered.text()).toBe('zerorate_ready 1\n');
  isBroken = true;
  const failed = await get();
  expect([failed.status, await failed.json()]).toEqual([500, { error: 'no numbers' }]);
  await server.stop();
});

test('a port that is taken is an error', async () => {
  const first = await startHealthServer(new Health(), NONE, HERE);
  await expect(startHealthServer(new Health(), NONE, { ...HERE, port: first.port })).rejects.toThrow('EADDRINUSE');
  await first.stop();
});
