import { request } from 'undici';
import type * as z from 'zod';
import type { Secret } from '../platform/secret.ts';
import {
  type Heartbeat,
  heartbeatAnswerSchema,
  type UsageReport,
  type UsageReportsAnswer,
  usageReportsAnswerSchema,
} from '../session-protocol/dispatch-messages.ts';

export type DispatchErrorCode = 'dispatch_unreachable' | 'dispatch_refused' | 'dispatch_unreadable';

/** The dispatch server did not do what was asked. All of it is asked again later. */
export class DispatchError extends Error {
  readonly code: DispatchErrorCode;
  readonly canRetry = true;

  constructor(code: DispatchErrorCode, message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'DispatchError';
    this.code = code;
  }
}

export interface DispatchClientOptions {
  url: string;
  jwksUrl: string | undefined;
  proxyId: string;
  secret: Secret;
  timeoutMs: number;
}

/** What a proxy asks of the dispatch server. Everything rejects with a DispatchError. */
export class DispatchClient {
  readonly #options: DispatchClientOptions;

  constructor(options: DispatchClientOptions) {
    this.#options = options;
  }

  async keys(): Promise<unknown> {
    const url = this.#options.jwksUrl ?? this.#url('/.well-known/jwks.json');
    return this.#call('GET', url);
  }

  async heartbeat(heartbeat: Heartbeat): Promise<{ nextWithinMs: number }> {
    const url = this.#url(`/v1/proxies/${encodeURIComponent(this.#options.proxyId)}`);
    return readAs(heartbeatAnswerSchema, await this.#call('PUT', url, heartbeat));
  }

  /** At most a thousand. */
  async report(reports: readonly UsageReport[]): Promise<UsageReportsAnswer> {
    return readAs(usageReportsAnswerSchema, await this.#call('POST', this.#url('/v1/usage-reports'), { reports }));
  }

  #url(path: string): string {
    return `${this.#options.url.replace(/\/$/, '')}${path}`;
  }

  async #call(method: 'GET' | 'PUT' | 'POST', url: string, body?: object): Promise<unknown> {
    const { secret, timeoutMs } = this.#options;
    const authorization = `Bearer ${secret.reveal()}`;
    const signal = AbortSignal.timeout(timeoutMs);
    let status: number;
    let text: string;
    try {
      const answer = await request(url, {
        method,
        signal,
        headers: { authorization, ...(body && { 'content-type': 'application/json' }) },
        ...(body && { body: JSON.stringify(body) }),
      });
      status = answer.statusCode;
      text = await answer.body.text();
    } catch (cause) {
      throw new DispatchError('dispatch_unreachable', `${method} ${url}: ${(cause as Error).message}`, cause);
    }
    if (status < 200 || status > 299) {
      throw new DispatchError('dispatch_refused', `${method} ${url}: status ${status}: ${text.slice(0, 200)}`);
    }
    try {
      return JSON.parse(text);
    } catch (cause) {
      throw new DispatchError('dispatch_unreadable', `${method} ${url}: no JSON came back`, cause);
    }
  }
}

function readAs<T>(schema: z.ZodType<T>, answer: unknown): T {
  const read = schema.safeParse(answer);
  if (read.success) return read.data;
  throw new DispatchError('dispatch_unreadable', `an answer of another shape: ${read.error.message}`);
}
