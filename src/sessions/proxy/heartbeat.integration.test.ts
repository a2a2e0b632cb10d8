import { expect, test } from 'vitest';
import { startWorld, until } from './proxy.fixture.ts';

test('a proxy is ready when the dispatch server has answered its first heartbeat: before that it is given no sessions', async () => {
  const world = await startWorld({ application: { relayUpstream: 'ws://127.0.0.1:1/' } });
  try {
    const statuses: number[] = [];
    world.dispatch.onHeartbeat = async (controlUrl) => {
      statuses.push((await fetch(new URL('/health/ready', controlUrl))).status);
    };
    await world.restart();
    expect(statuses).toEqual([503]);
    await until(() => statuses.length > 1, 'a second heartbeat');
    expect(statuses[1]).toBe(200);
    expect((await fetch(new URL('/health/ready', world.proxy.controlUrl))).status).toBe(200);
  } finally {
    await world.stop();
  }
});
