import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { CertificateFiles } from './certificates.ts';

/** Issues tokens by the client credentials grant, unsigned, as Kafka's unsecured validator takes them. */
export interface TokenServer {
  url: string;
  /** Issued tokens. */
  tokens: string[];
  /** The forms of the requests. */
  forms: string[];
  /** What the requests' authorization holds, decoded from base64. */
  logins: string[];
  /** Members that its answers have, too. */
  more: Record<string, unknown>;
  stop(): void;
}

export async function startTokenServer(
  { cert, key }: CertificateFiles,
  client: { id: string; secret: string },
  lifetimeS = 300,
): Promise<TokenServer> {
  const [tokens, forms, logins]: [string[], string[], string[]] = [[], [], []];
  const server = createServer({ cert: await readFile(cert), key: await readFile(key) }, async (request, response) => {
    forms.push(await text(request));
    logins.push(loginOf(request.headers.authorization ?? ''));
    response.setHeader('content-type', 'application/json');
    if (!isClient(request.headers.authorization ?? '', client)) {
      // The answer of a careless server.
      response.writeHead(401).end(`{"error":"invalid_client","got":"${request.headers.authorization}"}`);
      return;
    }
    const nowS = Math.floor(Date.now() / 1000);
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const claims = { sub: client.id, iat: nowS, exp: nowS + lifetimeS, jti: String(tokens.length) };
    const token = `${part({ alg: 'none' })}.${part(claims)}.`;
    tokens.push(token);
    const answer = { access_token: token, token_type: 'Bearer', expires_in: lifetimeS, ...started.more };
    response.end(JSON.stringify(answer));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}/token`;
  const stop = () => {
    server.close();
    server.closeAllConnections();
  };
  const started: TokenServer = { url, tokens, forms, logins, more: {}, stop };
  return started;
}

/** RFC 6749, 2.3.1: both parts are form-encoded before they are joined. */
function isClient(authorization: string, { id, secret }: { id: string; secret: string }): boolean {
  const [name, password] = loginOf(authorization)
    .split(':')
    .map((part) => decodeURIComponent(part.replaceAll('+', ' ')));
  return name === id && password === secret;
}

function loginOf(authorization: string): string {
  return Buffer.from(authorization.replace(/^Basic /, ''), 'base64').toString();
}
