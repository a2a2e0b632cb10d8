import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { Agent, request } from 'undici';
import { identityClaims, signIdentityAssertion } from '../../src/sessions/protocol/identity-assertion.ts';
import { APPLICATION, type HostileWorld, ISSUER, KEY_ID } from './hostile-world.ts';

const WITHIN_MS = 15_000;

export interface Granted {
  sessionId: string;
  token: string;
  tokenId: string;
  sessionKey: string;
  tokenExpiresAtMs: number;
}

/** A session for a subscriber whose operator vouches for it; the text of the refusal when the dispatch server gives none. */
export async function askForSession(
  world: HostileWorld,
  msisdn: string,
  localAddress: string,
): Promise<Granted | string> {
  const claims = identityClaims({ issuer: ISSUER, msisdn, terminalIp: localAddress }, Date.now(), 300);
  const identityAssertion = await signIdentityAssertion(claims, { keyId: KEY_ID, privateKey: world.operatorKey });
  const agent = new Agent({ localAddress, headersTimeout: WITHIN_MS, pipelining: 0 });
  try {
    const { statusCode, body } = await request(`http://127.0.0.1:${world.dispatchPort}/v1/sessions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ msisdn, identityAssertion, applicationId: APPLICATION, applicationAccount: msisdn }),
      dispatcher: agent,
    });
    const text = await body.text();
    return statusCode === 201 ? JSON.parse(text) : text;
  } finally {
    await agent.destroy();
  }
}

/** A terminal that uses the service as it is meant, and counts what it sends and receives. */
export class HonestTerminal {
  readonly #world: HostileWorld;
  /** Of its own: the limits by address are for the attackers'. */
  readonly #localAddress = '127.0.99.1';
  readonly #msisdn = '491700000001';
  #session: Granted | null = null;
  readonly #sessionIds = new Set<string>();
  attempts = 0;
  successes = 0;
  octets = 0;
  readonly failures: string[] = [];

  constructor(world: HostileWorld) {
    this.#world = world;
  }

  /** One transfer through a tunnel, with a session that is asked for when there is none. */
  async transfer(octets: number): Promise<void> {
    this.attempts++;
    try {
      if (this.#session === null || this.#session.tokenExpiresAtMs < Date.now() + WITHIN_MS) await this.#open();
      await this.#tunnel(octets);
      this.successes++;
    } catch (error) {
      this.failures.push((error as Error).message);
      this.#session = null;
    }
  }

  /** Ends the session; resolves with what the dispatch server has of all of them, when that is all or after some seconds. */
  async reported(): Promise<number> {
    const { dispatchPort, operatorSecret } = this.#world;
    await this.#end();
    const giveUpAtMs = performance.now() + 2 * WITHIN_MS;
    for (;;) {
      const headers = { authorization: `Bearer ${operatorSecret}` };
      const { body } = await request(`http://127.0.0.1:${dispatchPort}/v1/usage-reports`, { headers });
      const lines = (await body.text()).split('\n').filter((line) => line !== '');
      const own = lines.map((line) => JSON.parse(line)).filter(({ sessionId }) => this.#sessionIds.has(sessionId));
      const sum = own
        .flatMap(({ usage }) => usage)
        .reduce((all, each) => all + each.uplinkOctets + each.downlinkOctets, 0);
      if (sum === this.octets || performance.now() > giveUpAtMs) return sum;
      await pause(500);
    }
  }

  async #open(): Promise<void> {
    await this.#end();
    const session = await askForSession(this.#world, this.#msisdn, this.#localAddress);
    if (typeof session === 'string') throw new Error(`the dispatch server refused a session: ${session}`);
    this.#session = session;
    this.#sessionIds.add(session.sessionId);
  }

  async #end(): Promise<void> {
    const session = this.#session;
    this.#session = null;
    if (session === null) return;
    const headers = { authorization: `Bearer ${session.token}` };
    const url = `http://127.0.0.1:${this.#world.dispatchPort}/v1/sessions/${session.sessionId}`;
    await request(url, { method: 'DELETE', headers }).then(({ body }) => body.dump());
  }

  async #tunnel(octets: number): Promise<void> {
    const { ports, echoPort } = this.#world;
    const socket = connect({ host: '127.0.0.1', port: ports.connect, localAddress: this.#localAddress });
    const late = setTimeout(() => socket.destroy(new Error('the tunnel took too long')), WITHIN_MS);
    try {
      await once(socket, 'connect');
      const to = `127.0.0.1:${echoPort}`;
      socket.write(
        `CONNECT ${to} HTTP/1.1\r\nhost: ${to}\r\nproxy-authorization: Bearer ${this.#session?.token}\r\n\r\n`,
      );
      const head = await readUntil(socket, (text) => text.includes('\r\n\r\n'));
      if (!head.startsWith('HTTP/1.1 200'))
        throw new Error(`the proxy refused a tunnel: ${head.trim().replaceAll('\r\n', ', ')}`);
      const sent = Buffer.alloc(octets, randomUUID());
      socket.end(sent);
      let received = 0;
      for await (const chunk of socket) received += chunk.length;
      if (received !== octets) throw new Error(`${received} of ${octets} octets came back`);
      this.octets += socket.bytesWritten + socket.bytesRead;
    } finally {
      clearTimeout(late);
      socket.destroy();
    }
  }
}

/** Exactly the head: what is behind it stays in the socket. */
async function readUntil(socket: Socket, isDone: (text: string) => boolean): Promise<string> {
  let text = '';
  while (!isDone(text)) {
    const chunk: Buffer | null = socket.read(1);
    if (chunk !== null) text += chunk.toString('latin1');
    else if (socket.readableEnded || socket.destroyed) throw new Error(`the proxy closed the tunnel: ${text}`);
    else await Promise.race([once(socket, 'readable'), once(socket, 'end'), once(socket, 'close')]);
  }
  return text;
}
