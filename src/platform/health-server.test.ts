import { expect, test } from 'vitest';
import { Health } from './health.ts';
import { startHealthServer } from './health-server.ts';

test('says whether the process lives and whether it is ready, and why not', async () => {
  const health = new Health();
  const server = await startHealthServer(health, { host: '127.0.0.1', port: 0 });
  const get = async (path: string, method = 'GET') => {
    const response = await fetch(`http://127.0.0.1:${server.port}${path}`, { method });
    return [response.status, await response.json()];
  };
  health.report('source', 'joining the group');
  expect(await get('/live')).toEqual([200, { live: true }]);
  expect(await get('/ready')).toEqual([503, { ready: false, problems: { source: 'joining the group' } }]);
  health.report('source', null);
  expect(await get('/ready')).toEqual([200, { ready: true, problems: {} }]);
  expect((await get('/'))[0]).toBe(404);
  expect((await get('/ready', 'POST'))[0]).toBe(405);
  await server.stop();
});

test('a port that is taken is an error', async () => {
  const first = await startHealthServer(new Health(), { host: '127.0.0.1', port: 0 });
  await expect(startHealthServer(new Health(), { host: '127.0.0.1', port: first.port })).rejects.toThrow('EADDRINUSE');
  await first.stop();
});
