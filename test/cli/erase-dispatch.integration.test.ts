import { generateKeyPairSync } from 'node:crypto';
import { copyFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { dump } from 'js-yaml';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { freePort } from '../../src/development/servers/free-port.ts';
import { packagePath } from '../../src/platform/package-paths.ts';
import { parsePseudonymKey } from '../../src/platform/pseudonym-key.ts';
import { PseudonymKey } from '../../src/rating/subscribers.ts';
import type { DispatchSession } from '../../src/sessions/dispatch/dispatch-session.ts';
import { DispatchStore } from '../../src/sessions/dispatch/dispatch-store.ts';
import { pinnedProxy, RunningCompanion, withoutAccounts } from './companion.fixture.ts';
import { Zerorate } from './zerorate.fixture.ts';

const BY = ['--who', 'dpo', '--why', 'request 4711'];
const [FIRST, SECOND, OTHER] = ['491701111111', '491702222222', '491703333333'];
const ENV = {
  ZERORATE_OPERATOR_SECRET: 'operator-secret-0123456789',
  EDGE_1_SECRET: 'proxy-secret-0123456789',
};
let zerorate: Zerorate;
let port: number;
let key: PseudonymKey;

beforeAll(async () => {
  zerorate = await Zerorate.build();
  const catalogue = packagePath('fixtures/demo/catalogue.yaml');
  copyFileSync(catalogue, zerorate.path('catalogue.yaml'));
  await zerorate.run(['generate', '--out', 'flows.ndjson', '--records', '50', '--seed', '1']);
  const run = ['run', '--catalogue', 'catalogue.yaml', '--source', 'flows.ndjson', '--store', 'store'];
  expect(await zerorate.run(run)).toMatchObject({ code: 0 });
  const file = zerorate.path('store/development-pseudonym.key');
  key = new PseudonymKey(parsePseudonymKey(readFileSync(file, 'utf8'), file).generations);
  const { publicKey } = generateKeyPairSync('ed25519');
  writeFileSync(zerorate.path('operator.jwks.json'), JSON.stringify({ keys: [publicKey.export({ format: 'jwk' })] }));
  port = await freePort();
  const document = {
    catalogue: 'catalogue.yaml',
    dataDir: 'dispatch',
    http: { port },
    kafka: { brokers: ['127.0.0.1:9'] },
    store: { url: 'http://127.0.0.1:9' },
    pseudonymKey: { file: 'store/development-pseudonym.key' },
    operators: [{ issuer: 'operator', jwksFile: 'operator.jwks.json' }],
    proxies: { 'edge-1': pinnedProxy('EDGE_1_SECRET', '127.0.0.1:9') },
    applications: withoutAccounts(),
  };
  writeFileSync(zerorate.path('dispatch.yaml'), dump(document));
  const store = new DispatchStore(zerorate.path('dispatch'));
  await store.transaction(() => {
    for (const number of [FIRST, SECOND, OTHER]) store.putSession(sessionOf(number));
  });
  await store.close();
});
afterAll(() => zerorate.remove());

const accountOf = (number: string) => `account-of-${number}`;
const sessionOf = (number: string) =>
  ({
    sessionId: `session-of-${number}`,
    subscriber: key.pseudonymOf(number).toString('hex'),
    planId: 'plan',
    applicationAccount: accountOf(number),
    isSettled: true,
    state: 'ended',
    lastReportAtMs: Date.now(),
    sequences: { through: 0, ahead: [], last: null },
  }) as unknown as DispatchSession;

function traces(): string[] {
  const names = readdirSync(zerorate.path('dispatch')).filter((name) => name.endsWith('.mdb'));
  const files = names.map((name) => readFileSync(join(zerorate.path('dispatch'), name)));
  return [FIRST, SECOND, OTHER].filter((number) => files.some((file) => file.includes(accountOf(number))));
}

const erase = (number: string) =>
  zerorate.run(['subscriber', 'erase', number, '--store', 'store', '--dispatch', 'dispatch.yaml', ...BY], { env: ENV });

test('an erasure reaches the store of a stopped dispatch server, and of a running one, which reloads the key', async () => {
  expect(traces()).toEqual([FIRST, SECOND, OTHER]);
  const stopped = await erase(FIRST);
  expect(stopped).toMatchObject({ code: 0, stderr: '' });
  expect(stopped.stdout).toMatch(
    /dispatch: 1 entries removed; the dispatch server is stopped\n.*erasure 1 of this key/s,
  );
  expect(traces()).toEqual([SECOND, OTHER]);

  const dispatch = await RunningCompanion.start(zerorate, ['dispatch', '--config', 'dispatch.yaml'], ENV);
  try {
    await dispatch.prints('dispatching at port');
    const running = await erase(SECOND);
    expect(running).toMatchObject({ code: 0, stderr: '' });
    expect(running.stdout).toContain(`http://127.0.0.1:${port}: 0 sessions ended, 1 entries removed`);
    expect(traces()).toEqual([OTHER]);
    dispatch.signal('SIGHUP');
    await dispatch.prints('the pseudonym key was reloaded after an erasure');
    expect((await erase(SECOND)).stdout).toContain('0 entries removed');

    const wrong = { env: { ...ENV, ZERORATE_OPERATOR_SECRET: 'another-secret-0123456789' } };
    const args = ['subscriber', 'erase', OTHER, '--store', 'store', '--dispatch', 'dispatch.yaml', ...BY];
    const refused = await zerorate.run(args, wrong);
    expect(refused).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/HTTP 401; nothing was erased from the key/),
    });
    expect(refused.stderr).not.toContain(OTHER);
    expect(dispatch.printed).not.toContain(SECOND);
  } finally {
    await dispatch.stop();
  }
  const file = zerorate.path('store/development-pseudonym.key');
  const after = new PseudonymKey(parsePseudonymKey(readFileSync(file, 'utf8'), file).generations);
  expect([FIRST, SECOND, OTHER].map((number) => after.isErased(number))).toEqual([true, true, false]);
});
