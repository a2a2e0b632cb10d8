import { afterEach, beforeEach, expect, test } from 'vitest';
import { OPERATOR_SECRET, TestDispatch } from './dispatch.fixture.ts';

let dispatch: TestDispatch;
beforeEach(async () => {
  dispatch = await TestDispatch.start();
});
afterEach(() => dispatch.remove());

const scrape = (secret = OPERATOR_SECRET) =>
  dispatch.call({ method: 'GET', url: '/metrics', headers: { authorization: `Bearer ${secret}` } });

test('sessions, proxies, requests and readiness are exported to the operator only', async () => {
  expect((await scrape('guessed-secret-0123456789')).statusCode).toBe(401);
  await dispatch.heartbeat('edge-1');
  await dispatch.heartbeat('edge-2');
  const granted = await dispatch.ask({});
  expect(granted.statusCode).toBe(201);
  dispatch.clock.ms += 7000;
  await dispatch.heartbeat('edge-2');
  dispatch.health.report('store', 'no answer');
  const lines = (await scrape()).body.split('\n');
  expect(lines).toContain('zerorate_dispatch_sessions{application="chat"} 1');
  expect(lines).toContain('zerorate_dispatch_sessions{application="talk"} 0');
  expect(lines).toContain('zerorate_dispatch_proxies{state="fresh"} 1');
  expect(lines).toContain('zerorate_dispatch_proxies{state="silent"} 1');
  expect(lines).toContain('zerorate_dispatch_requests_total{route="/v1/sessions",status="201"} 1');
  expect(lines).toContain('zerorate_dispatch_requests_total{route="/metrics",status="401"} 1');
  expect(lines).toContain('zerorate_ready 0');
  expect(lines).toContain('zerorate_problem{part="store"} 1');
});
