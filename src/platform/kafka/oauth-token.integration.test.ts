import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Authority, makeAuthority } from '../../../test/servers/certificates.ts';
import { startTokenServer, type TokenServer } from '../../../test/servers/token-server.ts';
import { type TokenOptions, tokenProvider } from './oauth-token.ts';

const LIFETIME_S = 100;
const CLIENT = { id: 'the client:1', secret: 's%c ret+&' };

let directory: string;
let authority: Authority;
let server: TokenServer;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'zerorate-token-'));
  authority = await makeAuthority(directory, 'login');
  server = await startTokenServer(await authority.issue('server'), CLIENT, LIFETIME_S);
});
afterAll(async () => {
  server?.stop();
  await rm(directory, { recursive: true });
});

async function options(more: Partial<TokenOptions> = {}): Promise<TokenOptions> {
  const ca = await readFile(authority.ca, 'utf8');
  return { tokenUrl: server.url, clientId: CLIENT.id, clientSecret: CLIENT.secret, tls: { ca }, ...more };
}

test('a token is given out until a fifth of its life is left, then the next one', async () => {
  let nowMs = 1000;
  const token = tokenProvider(await options(), () => nowMs);
  const before = server.tokens.length;
  const [first, same] = await Promise.all([token(), token()]);
  expect(same).toEqual(first);
  nowMs += LIFETIME_S * 800 - 1;
  expect(await token()).toEqual(first);
  expect(server.tokens.length).toBe(before + 1);
  nowMs += 1;
  expect((await token()).value).not.toBe(first.value);
  expect(server.tokens.length).toBe(before + 2);
});

test('a token that lives for seconds only is fetched for every login', async () => {
  const brief = await startTokenServer(await authority.issue('brief'), CLIENT, 10);
  const token = tokenProvider(await options({ tokenUrl: brief.url }));
  await token();
  await token();
  brief.stop();
  expect(brief.tokens.length).toBe(2);
});

test.each<[string, Partial<TokenOptions>, RegExp, boolean]>([
  ['a wrong secret', { clientSecret: 'wrong' }, /gives no token \(HTTP 401, invalid_client\)/, false],
  ['an authority that is not known', { tls: {} }, /no authority in source\.kafka\.sasl\.tls\.ca/, false],
  ['no answer', { tokenUrl: 'https://127.0.0.1:9/token' }, /does not answer: .*ECONNREFUSED/, true],
])('%s: says so, and whether to ask again', async (_case, more, message, retriable) => {
  const error = await tokenProvider(await options(more))().catch((error) => error);
  expect(error).toMatchObject({ name: 'TokenError', retriable, message: expect.stringMatching(message) });
  // What the server says about the login is not repeated.
  expect(error.message).not.toContain('Basic');
});
