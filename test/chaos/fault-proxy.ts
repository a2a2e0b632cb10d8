import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import {
  forward,
  forwardHalf,
  isJournalInsert,
  laneOf,
  type ProxiedAnswer,
  type ProxiedRequest,
  takeRequest,
  withStatement,
} from './proxied-request.ts';

/** Faults of one request on its way to ClickHouse and back. */
export type ProxyFault =
  /** It is executed after a delay. */
  | { kind: 'slow'; delayMs: number }
  /** Half of the body is sent, then both connections break. */
  | { kind: 'reset_in_body' }
  /** Half of the body is sent as a complete body, and the connection to the client breaks. */
  | { kind: 'truncated_body' }
  /** It is executed without an answer. The client's connection breaks after a delay. */
  | { kind: 'answer_dropped'; hangMs: number }
  /** The client's connection breaks at once; the request is executed after a delay. */
  | { kind: 'lands_late'; delayMs: number }
  /**
   * The client's connection breaks at once; the request is executed together with the lane's next insert, from any engine.
   */
  | { kind: 'lands_with_next' }
  /** It is executed; the answer breaks off in the middle. */
  | { kind: 'reset_in_answer' };

/** The requests that a fault applies to. */
export type RequestKind = 'insert' | 'query' | 'any';

/** Rewrites the statement of every insert: the negative controls remove a guard with it. */
export type RewriteInsert = (sql: string) => string;

export interface FaultProxyOptions {
  /** ClickHouse's own address. */
  upstream: string;
  rewriteInsert?: RewriteInsert;
  /** Shared by the proxies of several engines: a request of one goes with another's insert. */
  heldBack?: HeldBack;
}

/** Inserts that wait for the next one of their lane, by lane. */
export type HeldBack = Map<string, ProxiedRequest[]>;

/** A fault that waits for its requests. */
export interface ArmedFault {
  readonly fault: ProxyFault;
  readonly requests: RequestKind;
  /** How many more requests it applies to. */
  left: number;
}

/** An HTTP proxy before ClickHouse with the faults of networks and servers. */
export class FaultProxy {
  readonly #options: FaultProxyOptions;
  readonly #heldBack: HeldBack;
  readonly #underWay = new Set<Promise<unknown>>();
  #server: Server | null = null;
  #port = 0;
  #armed: ArmedFault[] = [];

  constructor(options: FaultProxyOptions) {
    this.#options = options;
    this.#heldBack = options.heldBack ?? new Map();
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Accepts connections; after `refuse` again, on the same port. */
  async start(): Promise<void> {
    if (this.#server !== null) return;
    const server = createServer((request, response) => this.#follow(this.#serve(request, response)));
    server.keepAliveTimeout = 60_000;
    server.listen(this.#port, '127.0.0.1');
    await once(server, 'listening');
    this.#server = server;
    this.#port = (server.address() as AddressInfo).port;
  }

  /** Breaks every connection and refuses new ones, until `start`. Requests already sent to ClickHouse are executed. */
  async refuse(): Promise<void> {
    const server = this.#server;
    if (server === null) return;
    this.#server = null;
    const closed = once(server, 'close');
    server.close();
    server.closeAllConnections();
    await closed;
  }

  /** Applies the fault to the next `times` requests of the kind, or until it is disarmed. */
  arm(fault: ProxyFault, requests: RequestKind, times = 1): ArmedFault {
    const armed = { fault, requests, left: times };
    this.#armed.push(armed);
    return armed;
  }

  disarm(armed: ArmedFault): void {
    this.#armed = this.#armed.filter((other) => other !== armed);
  }

  /** Disarms all faults; requests that are held back are executed now. */
  calm(): void {
    this.#armed = [];
    for (const held of this.#heldBack.values()) for (const request of held) this.#carryOutUnseen(request);
    this.#heldBack.clear();
  }

  /** Waits for late requests. */
  async stop(): Promise<void> {
    this.calm();
    await this.refuse();
    await Promise.all(this.#underWay);
  }

  #follow(work: Promise<unknown>): void {
    const followed = work.catch(() => undefined).finally(() => this.#underWay.delete(followed));
    this.#underWay.add(followed);
  }

  async #serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const taken = await takeRequest(incoming);
      const isInsert = isJournalInsert(taken);
      const { rewriteInsert } = this.#options;
      const request = isInsert && rewriteInsert !== undefined ? withStatement(taken, rewriteInsert) : taken;
      const lane = isInsert ? laneOf(taken) : null;
      this.#release(lane);
      const fault = this.#next(isInsert ? 'insert' : 'query');
      if (fault === null) answerWith(response, await this.#carryOut(request));
      else await this.#applyFault(fault, request, lane, response);
    } catch {
      // ClickHouse is down, or broke off: so does the proxy.
      response.destroy();
    }
  }

  #next(kind: 'insert' | 'query'): ProxyFault | null {
    const armed = this.#armed.find(({ requests, left }) => left > 0 && (requests === 'any' || requests === kind));
    if (armed === undefined) return null;
    armed.left--;
    return armed.fault;
  }

  async #applyFault(
    fault: ProxyFault,
    request: ProxiedRequest,
    lane: string | null,
    response: ServerResponse,
  ): Promise<void> {
    const { upstream } = this.#options;
    switch (fault.kind) {
      case 'slow':
        await pause(fault.delayMs);
        return answerWith(response, await this.#carryOut(request));
      case 'reset_in_body':
        await forwardHalf(upstream, request);
        return void response.destroy();
      case 'truncated_body':
        await forward(upstream, request, Math.floor(request.body.length / 2));
        return void response.destroy();
      case 'answer_dropped':
        await this.#carryOut(request);
        await pause(fault.hangMs);
        return void response.destroy();
      case 'lands_late':
        response.destroy();
        await pause(fault.delayMs);
        return void (await this.#carryOut(request));
      case 'lands_with_next':
        response.destroy();
        if (lane === null) return void (await this.#carryOut(request));
        return void this.#heldBack.set(lane, [...(this.#heldBack.get(lane) ?? []), request]);
      case 'reset_in_answer':
        return breakOff(response, await this.#carryOut(request));
    }
  }

  /** Not awaited: these race with the insert that released them. */
  #release(lane: string | null): void {
    if (lane === null) return;
    for (const held of this.#heldBack.get(lane) ?? []) this.#carryOutUnseen(held);
    this.#heldBack.delete(lane);
  }

  #carryOutUnseen(request: ProxiedRequest): void {
    this.#follow(this.#carryOut(request));
  }

  #carryOut(request: ProxiedRequest): Promise<ProxiedAnswer> {
    return forward(this.#options.upstream, request);
  }
}

function answerWith(response: ServerResponse, { status, headers, body }: ProxiedAnswer): void {
  const { connection: _, 'keep-alive': __, 'transfer-encoding': ___, ...own } = headers;
  response.writeHead(status, { ...own, 'content-length': body.length }).end(body);
}

function breakOff(response: ServerResponse, { status, headers, body }: ProxiedAnswer): void {
  const { connection: _, 'keep-alive': __, 'transfer-encoding': ___, ...own } = headers;
  // One byte more is announced than sent: an answer without a body breaks off too.
  response.writeHead(status, { ...own, 'content-length': body.length + 1 });
  response.write(body.subarray(0, Math.floor(body.length / 2)), () => response.destroy());
  response.flushHeaders();
}
