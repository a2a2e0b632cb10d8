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

const jwt = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url');

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

test.each<[string, Record<string, unknown>]>([
  [
    'an id_token of another issuer',
    { id_token: `${jwt({ alg: 'RS256' })}.${jwt({ iss: 'https://login/realms/x' })}.AA` },
  ],
  ['members that are null', { scope: null, refresh_token: null, expires_in: null }],
  ['a scope that is a list', { scope: ['kafka'] }],
])('an answer with %s gives a token, as in the version before', async (_case, more) => {
  server.more = more;
  expect((await tokenProvider(await options())()).value).toBe(server.tokens.at(-1));
  server.more = {};
});

test('letters, digits and -_.* of the login are not encoded: not every endpoint decodes them', async () => {
  await tokenProvider(await options({ clientId: 'a-client_1.x*', clientSecret: 'se-cr_et' }))().catch(() => {});
  expect(server.logins.at(-1)).toBe('a-client_1.x*:se-cr_et');
});

test.each([
  ['no token_type', { token_type: undefined }, 'no token_type as RFC 6749 (5.1) has it'],
  ['another token_type', { token_type: 'mac' }, 'a token_type other than Bearer'],
])('an answer with %s: says so', async (_case, more, message) => {
  server.more = more;
  await expect(tokenProvider(await options())()).rejects.toThrow(message);
  server.more = {};
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
