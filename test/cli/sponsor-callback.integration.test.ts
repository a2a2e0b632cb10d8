import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { packagePath } from '../../src/platform/package-paths.ts';
import { AccountCallback } from '../../src/sessions/dispatch/accounts/account-callback.ts';
import { TestClock } from '../../src/sessions/dispatch/dispatch.fixture.ts';

const SECRET = 'example-secret-0123456789';

let server: ChildProcess;
let url: string;

beforeAll(async () => {
  const script = packagePath('examples/sponsor-callback/server.mjs');
  const child = spawn(process.execPath, [script, '0'], { env: { ...process.env, CALLBACK_SECRET: SECRET } });
  server = child;
  const [line] = await once(child.stdout, 'data');
  url = /http:\S+/.exec(String(line))?.[0] ?? '';
});
afterAll(() => server?.kill());

const verify = (msisdn: string, wanted?: string, secret = SECRET) =>
  new AccountCallback(
    { url, secret, timeoutMs: 5000, cacheMs: 0, retryAfterMs: 5000 },
    { clock: new TestClock(), onFailure: () => {} },
  ).verify({
    applicationId: 'parley',
    msisdn,
    subscriber: 'ab'.repeat(16),
    identity: { iss: 'operator', jti: '1' },
    ...(wanted === undefined ? {} : { wanted }),
  });

test('the dispatch server takes the account that the example confirms', async () => {
  expect(await verify('15550100001')).toEqual({ account: 'alice' });
  expect(await verify('15550100001', 'alice-work')).toEqual({ account: 'alice-work' });
});

test('it refuses an account of another number, an unknown number, and a wrong secret', async () => {
  expect(await verify('15550100001', 'bob')).toMatchObject({ refusal: 'account_unverified' });
  expect(await verify('15550109999')).toMatchObject({ refusal: 'account_unverified' });
  expect(await verify('15550100001', 'alice', 'another-secret-0123456789')).toHaveProperty('retryAfterMs');
});
