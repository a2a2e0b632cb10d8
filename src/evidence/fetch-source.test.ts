import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type Authority, makeAuthority } from '../../test/servers/certificates.ts';
import { evidenceConfigSchema } from './evidence-config-schema.ts';
import { fetchSource } from './fetch-source.ts';

const folder = mkdtempSync(join(tmpdir(), 'zerorate-source-'));
type Answer = (request: IncomingMessage, response: ServerResponse) => void;
let authority: Authority;
let own: { cert: string; key: string };
let servers: Server[];
let urls: string[];
/** By path, of both servers. */
let answers: Record<string, Answer>;
let requests: { path: string | undefined; headers: IncomingMessage['headers']; certificate: string | undefined }[];

beforeAll(async () => {
  authority = await makeAuthority(folder, 'lists');
  own = await authority.issue('client');
  const { cert, key } = await authority.issue('server');
  const tls = { cert: readFileSync(cert), key: readFileSync(key), ca: readFileSync(authority.ca) };
  servers = [0, 1].map(() =>
    createServer({ ...tls, requestCert: true, rejectUnauthorized: false }, (request, response) => {
      const { CN } = (request.socket as TLSSocket).getPeerCertificate().subject ?? {};
      requests.push({ path: request.url, headers: request.headers, certificate: CN as string | undefined });
      (answers[request.url ?? ''] ?? ((_, answer) => answer.writeHead(404).end()))(request, response);
    }),
  );
  for (const server of servers) await once(server.listen(0, '127.0.0.1'), 'listening');
  urls = servers.map((server) => `https://127.0.0.1:${(server.address() as AddressInfo).port}`);
});
beforeEach(() => {
  [answers, requests] = [{}, []];
});
afterAll(() => {
  for (const server of servers) {
    server.close();
    server.closeAllConnections();
  }
  rmSync(folder, { recursive: true });
});

function fetching(source: object, guards: object = {}) {
  const feed = { id: 'f', application: 'chat', form: 'cidr-list', source, guards };
  return fetchSource(evidenceConfigSchema.parse({ catalogue: 'c', feeds: [feed] }).feeds[0]);
}
const fetchingUrl = (path: string, source: object = {}, guards: object = {}) =>
  fetching({ url: urls[0] + path, tls: { caFile: authority.ca }, ...source }, guards);

const redirect =
  (to: () => string, status = 302): Answer =>
  (_, response) =>
    response.writeHead(status, { location: to() }).end();

test('a list is read from a file, and by HTTPS over redirects to https addresses', async () => {
  writeFileSync(join(folder, 'list'), '192.0.2.0/24');
  expect((await fetching({ file: join(folder, 'list') })).bytes?.toString()).toBe('192.0.2.0/24');
  answers = {
    '/first?key=1': redirect(() => '/second'),
    '/second': redirect(() => `${urls[1]}/list`, 308),
    '/list': (_, response) => response.end('203.0.113.0/24'),
  };
  expect((await fetchingUrl('/first?key=1')).bytes?.toString()).toBe('203.0.113.0/24');
  expect(requests.map(({ headers }) => [headers.authorization, headers.cookie, headers['accept-encoding']])).toEqual(
    Array.from({ length: 3 }, () => [undefined, undefined, 'identity']),
  );
});

test('an own certificate is for the configured host alone', async () => {
  answers = {
    '/first': redirect(() => '/second'),
    '/second': redirect(() => `${urls[1]}/list`),
    '/list': (_, response) => response.end('203.0.113.0/24'),
  };
  await fetchingUrl('/first', { tls: { caFile: authority.ca, certFile: own.cert, keyFile: own.key } });
  expect(requests.map(({ path, certificate }) => [path, certificate])).toEqual([
    ['/first', 'client'],
    ['/second', 'client'],
    ['/list', undefined],
  ]);
});

test('a list of as many bytes as the limit is read, one more is refused', async () => {
  answers['/list'] = (_, response) => response.end('x'.repeat(100));
  expect((await fetchingUrl('/list', {}, { maxBytes: 100 })).bytes).toHaveLength(100);
  const { refusal } = await fetchingUrl('/list', {}, { maxBytes: 99 });
  expect(refusal).toEqual({
    guard: 'list_size',
    message: `${urls[0]}/list has more than 99 bytes (guards.maxBytes): check the source, or raise the limit`,
  });
  // A body without an end is read up to the limit.
  answers['/endless'] = (_, response) => {
    const more = () => response.write('x'.repeat(65_536), more);
    more();
  };
  expect((await fetchingUrl('/endless', {}, { maxBytes: 1_000_000 })).refusal?.guard).toBe('list_size');
  writeFileSync(join(folder, 'list'), 'x'.repeat(100));
  expect((await fetching({ file: join(folder, 'list') }, { maxBytes: 99 })).refusal?.guard).toBe('list_size');
});

const LIST = '/list?key=hidden';
const FAILURES: [what: string, code: string, canRetry: boolean, message: RegExp, answer: Answer, source?: object][] = [
  [
    'a status',
    'feed_status',
    false,
    /\/list answers with status 403; check source\.url$/,
    (_, r) => r.writeHead(403).end(),
  ],
  ['a status of load', 'feed_status', true, /status 503; fetch again later$/, (_, r) => r.writeHead(503).end()],
  ['no content', 'feed_status', false, /status 204; check/, (_, r) => r.writeHead(204).end()],
  [
    'compression',
    'feed_status',
    false,
    /content-encoding gzip, which was not asked for/,
    (_, r) => r.writeHead(200, { 'content-encoding': 'gzip' }).end('x'),
  ],
  [
    'plain HTTP',
    'feed_redirect',
    false,
    /redirect \(302\) to http:\/\/127\.0\.0\.1\/, which is not https/,
    redirect(() => 'http://127.0.0.1/'),
  ],
  [
    'plain HTTP with a key',
    'feed_redirect',
    false,
    /^(?!.*secret).*to http:\/\/a\.example\/list, which is not https; name an https address of the list$/,
    redirect(() => 'http://a.example/list?key=secret'),
  ],
  [
    'a file',
    'feed_redirect',
    false,
    /to file:\/\/\/etc\/passwd, which is not https/,
    redirect(() => 'file:///etc/passwd'),
  ],
  ['nowhere', 'feed_redirect', false, /that names no address/, redirect(() => 'https://')],
  [
    'credentials',
    'feed_redirect',
    false,
    /^(?!.*secret).*user or password/,
    redirect(() => 'https://u:secret@a.example/'),
  ],
  ['itself', 'feed_redirect', false, /after 5 others; name the last address/, redirect(() => LIST)],
  ['no answer in time', 'feed_timeout', true, /not answered in full within 200 ms/, () => {}, { timeoutMs: 200 }],
  [
    'half an answer in time',
    'feed_timeout',
    true,
    /not answered in full within 300 ms \(source\.timeoutMs\); fetch again later$/,
    (_, r) => r.write('192.0.2.0/24\n'),
    { timeoutMs: 300 },
  ],
  [
    'a body that breaks off',
    'feed_unreachable',
    true,
    /cannot be fetched: .*; fetch again later$/,
    (_, r) => {
      r.writeHead(200, { 'content-length': '100' });
      r.write('192.0.2.0/24\n', () => r.destroy());
    },
  ],
  [
    'an authority that is not trusted',
    'feed_unreachable',
    false,
    /no authority in source\.tls\.caFile has signed the server's certificate/,
    (_, r) => r.end(),
    { tls: undefined },
  ],
];

test.each(FAILURES)(
  '%s is an error with a code and a remedy',
  async (_what, code, canRetry, message, answer, source) => {
    answers[LIST] = answer;
    const failed = fetchingUrl(LIST, source);
    await expect(failed).rejects.toMatchObject({ name: 'FeedSourceError', code, canRetry });
    await expect(failed).rejects.toThrow(message);
    // The query of a URL may be a key.
    await expect(failed).rejects.not.toThrow(/hidden/);
  },
);

test('a file that is not there, and a host that is not', async () => {
  await expect(fetching({ file: join(folder, 'none') })).rejects.toMatchObject({
    code: 'feed_unreadable',
    message: expect.stringMatching(/none: cannot be read: ENOENT.*; check source\.file$/),
  });
  for (const file of [folder, '/dev/zero']) {
    await expect(fetching({ file })).rejects.toMatchObject({
      code: 'feed_unreadable',
      message: `${file}: is no regular file; check source.file`,
    });
  }
  await expect(fetching({ url: 'https://127.0.0.1:1/list' })).rejects.toMatchObject({
    code: 'feed_unreachable',
    canRetry: true,
  });
  await expect(fetchingUrl('/list', { tls: { caFile: join(folder, 'none') } })).rejects.toMatchObject({
    code: 'bad_configuration',
  });
});
