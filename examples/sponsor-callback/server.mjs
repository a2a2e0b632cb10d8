// A sponsor's endpoint that confirms accounts: the dispatch server asks which account of the application a number has.
import { timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';

const [port = '8140', file = new URL('accounts.json', import.meta.url)] = process.argv.slice(2);
const secret = Buffer.from(`Bearer ${process.env.CALLBACK_SECRET ?? ''}`);
if (secret.length < 'Bearer '.length + 16)
  throw new Error('CALLBACK_SECRET: set at least 16 characters, shared with the carrier');

/** Accounts by application, then by number: in production, the sponsor's own database. */
const accounts = JSON.parse(readFileSync(file, 'utf8'));
const MAX_REQUEST_BYTES = 4096;

createServer(async (request, response) => {
  const answer = (status, body) =>
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  const shown = Buffer.from(request.headers.authorization ?? '');
  if (shown.length !== secret.length || !timingSafeEqual(shown, secret)) return answer(401, {});
  if (request.method !== 'POST' || request.url !== '/v1/verify') return answer(404, {});
  const asked = await bodyOf(request);
  if (typeof asked?.msisdn !== 'string' || typeof asked.applicationId !== 'string') return answer(400, {});
  const own = accounts[asked.applicationId]?.[asked.msisdn] ?? [];
  // The terminal may ask for one of several accounts; an account of another number is never confirmed.
  const account =
    asked.account === null || asked.account === undefined ? own[0] : own.find((name) => name === asked.account);
  return answer(200, { msisdn: asked.msisdn, account: account ?? null });
}).listen(Number(port), '127.0.0.1', function () {
  console.log(`accounts at http://127.0.0.1:${this.address().port}/v1/verify`);
});

/** Resolves with the request's JSON; undefined where it is none or too large. */
async function bodyOf(request) {
  const chunks = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += chunk.length;
    if (bytes > MAX_REQUEST_BYTES) return undefined;
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString());
  } catch {
    return undefined;
  }
}
