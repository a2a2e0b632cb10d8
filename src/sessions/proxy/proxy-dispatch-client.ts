import { Agent, type Dispatcher, request } from 'undici';
import type * as z from 'zod';
import type { TlsFiles } from '../../platform/config/tls-schema.ts';
import type { PeerSecret } from '../../platform/http/peer-secret.ts';
import { readTlsFiles } from '../../platform/network/tls-files.ts';
import {
  type Heartbeat,
  type HeartbeatAnswer,
  heartbeatAnswerSchema,
  type UsageReport,
  type UsageReportsAnswer,
  usageReportsAnswerSchema,
} from '../protocol/dispatch-messages.ts';

type DispatchErrorCode = 'dispatch_unreachable' | 'dispatch_refused' | 'dispatch_unreadable';

/** The dispatch server did not do what was asked. All of it is asked again later. */
export class DispatchError extends Error {
  readonly code: DispatchErrorCode;
  readonly canRetry = true;
  /** Of a refusal. */
  readonly status: number | undefined;

  constructor(code: DispatchErrorCode, message: string, { cause, status }: { cause?: unknown; status?: number } = {}) {
    super(message, { cause });
    this.name = 'DispatchError';
    this.code = code;
    this.status = status;
  }
}

export interface ProxyDispatchClientOptions {
  url: string;
  jwksUrl: string | undefined;
  proxyId: string;
  secret: PeerSecret;
  /** With a certificate of its own the proxy authenticates itself by that instead of by its secret. */
  tls?: TlsFiles | undefined;
  timeoutMs: number;
}

/** What a proxy asks of the dispatch server. Everything rejects with a DispatchError. */
export class ProxyDispatchClient {
  readonly #options: ProxyDispatchClientOptions;
  readonly #dispatcher: Dispatcher;

  /** Throws a ConfigError when a certificate cannot be read. */
  constructor(options: ProxyDispatchClientOptions) {
    this.#options = options;
    this.#dispatcher = new Agent({ connect: readTlsFiles(options.tls ?? {}, 'dispatch.tls') });
  }

  async keys(): Promise<unknown> {
    const url = this.#options.jwksUrl ?? this.#url('/.well-known/jwks.json');
    return this.#call('GET', url);
  }

  async heartbeat(heartbeat: Heartbeat): Promise<HeartbeatAnswer> {
    const url = this.#url(`/v1/proxies/${encodeURIComponent(this.#options.proxyId)}`);
    return readAs(heartbeatAnswerSchema, await this.#call('PUT', url, heartbeat));
  }

  /** At most a thousand; the answer says of each what became of it. */
  async report(reports: readonly UsageReport[]): Promise<UsageReportsAnswer> {
    const given = await this.#call('POST', this.#url('/v1/usage-reports'), { reports });
    const answer = readAs(usageReportsAnswerSchema, given);
    if (answer.outcomes.length === reports.length) return answer;
    const message = `${answer.outcomes.length} outcomes of ${reports.length} reports came back`;
    throw new DispatchError('dispatch_unreadable', message);
  }

  #url(path: string): string {
    return `${this.#options.url.replace(/\/$/, '')}${path}`;
  }

  async #call(method: 'GET' | 'PUT' | 'POST', url: string, body?: object): Promise<unknown> {
    const { secret, tls, timeoutMs } = this.#options;
    const authorization = tls?.certFile === undefined ? { authorization: `Bearer ${secret.reveal()}` } : {};
    const signal = AbortSignal.timeout(timeoutMs);
    let status: number;
    let text: string;
    try {
      const answer = await request(url, {
        method,
        signal,
        dispatcher: this.#dispatcher,
        headers: { ...authorization, ...(body && { 'content-type': 'application/json' }) },
        ...(body && { body: JSON.stringify(body) }),
      });
      status = answer.statusCode;
      text = await answer.body.text();
    } catch (cause) {
      throw new DispatchError('dispatch_unreachable', `${method} ${url}: ${(cause as Error).message}`, { cause });
    }
    if (status < 200 || status > 299) {
      const message = `${method} ${url}: status ${status}: ${text.slice(0, 200)}`;
      throw new DispatchError('dispatch_refused', message, { status });
    }
    try {
      return JSON.parse(text);
    } catch (cause) {
      throw new DispatchError('dispatch_unreadable', `${method} ${url}: no JSON came back`, { cause });
    }
  }
}

function readAs<T>(schema: z.ZodType<T>, answer: unknown): T {
  const read = schema.safeParse(answer);
  if (read.success) return read.data;
  throw new DispatchError('dispatch_unreadable', `an answer of another shape: ${read.error.message}`);
}
