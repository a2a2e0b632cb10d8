import { request } from 'undici';
import { limitedText } from '../../platform/http/limited-text.ts';
import type { PeerSecret } from '../../platform/http/peer-secret.ts';
import type { Logger } from '../../platform/telemetry/logger.ts';
import type { SessionContentType } from '../protocol/content-octets.ts';
import { type FlowMark, flowMarksAnswerSchema } from '../protocol/flow-mark.ts';
import { canonicalIp } from './private-address.ts';

/** A flow of a terminal as the proxy sees it: a TCP socket is one. */
export interface MarkedFlow {
  readonly localAddress?: string | undefined;
  readonly localPort?: number | undefined;
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
  /** Nothing of it can pass any more. */
  readonly destroyed: boolean;
  /** IANA's number; absent: TCP. */
  readonly protocol?: FlowMark['protocol'];
}

/** Removals of marks that are retried; more than a gateway that is away for long can leave behind. */
const MAX_OWED = 100_000;
const TOO_MANY_REQUESTS = 429;
/** Of an answer, which says little of one mark. */
const MAX_ANSWER_BYTES = 4096;

/**
 * `marked`: the flow's records have it; `ended`: the terminal had left the flow before, and no record has it; `taken`: the gateway does not say, or did
 * not see the flow;
 * `refused`: it does not take this mark; `away`: it takes none at the moment, or its answer did not come.
 */
export type MarkOutcome = 'marked' | 'ended' | 'taken' | 'refused' | 'away';

export interface FlowMarksOptions {
  /** Null: there is no gateway that marks. */
  gateway: { url: string; timeoutMs: number } | null;
  secret: PeerSecret;
  logger: Logger;
}

/** Marks at the gateway the flows that the sponsor pays for: the preset tag of traffic that is encrypted. */
export class FlowMarks {
  readonly #options: FlowMarksOptions;
  /** Marks that the gateway could not be asked to take away yet. */
  readonly #owed = new Map<MarkedFlow, FlowMark>();
  /** The removal that is asked for once more now. */
  #retried: { raw: MarkedFlow; done: Promise<MarkOutcome> } | null = null;
  #isRetrying = false;
  #failed = 0;
  /** Of the requests that have no answer yet. */
  readonly #requests = new Set<AbortController>();
  #isStopped = false;

  constructor(options: FlowMarksOptions) {
    this.#options = options;
  }

  /** Flows that continued without their mark, or with one that they should not have had. */
  get failed(): number {
    return this.#failed;
  }

  /** Puts the tag on a terminal's connection, or with null takes it away. Resolves within the time-out to what came of it. */
  async mark(raw: MarkedFlow, zeroRatingTag: string | null, contentType: SessionContentType): Promise<MarkOutcome> {
    if (this.#options.gateway === null) return 'taken';
    const mark = flowMarkOf(raw, zeroRatingTag, contentType);
    if (mark === null) return 'ended';
    this.#owed.delete(raw);
    // The removal is older than this mark, and must not come after it.
    if (this.#retried?.raw === raw) await this.#retried.done;
    const outcome = await this.#post(mark);
    if (!isFailed(outcome)) return outcome;
    this.#failed++;
    if (zeroRatingTag === null && !raw.destroyed && this.#owed.size < MAX_OWED) this.#owed.set(raw, mark);
    return outcome;
  }

  /** Asks once more to take away what should not be there. A mark that is refused holds up no other; a gateway that is away is asked once. */
  async retry(): Promise<void> {
    if (this.#isRetrying) return;
    this.#isRetrying = true;
    for (const [raw, mark] of [...this.#owed]) {
      // Marked again meanwhile.
      if (this.#owed.get(raw) !== mark) continue;
      const outcome = raw.destroyed ? 'ended' : await this.#postAgain(raw, mark);
      if (!isFailed(outcome) && this.#owed.get(raw) === mark) this.#owed.delete(raw);
      if (outcome === 'away') break;
    }
    this.#isRetrying = false;
  }

  /** From then on no answer is waited for: the gateway is as one that is away. */
  stop(): void {
    this.#isStopped = true;
    for (const request of this.#requests) request.abort(new Error('the proxy has stopped'));
  }

  async #postAgain(raw: MarkedFlow, mark: FlowMark): Promise<MarkOutcome> {
    const done = this.#post(mark);
    this.#retried = { raw, done };
    const outcome = await done;
    this.#retried = null;
    return outcome;
  }

  async #post(mark: FlowMark): Promise<MarkOutcome> {
    const { gateway, secret, logger } = this.#options;
    if (gateway === null) return 'taken';
    if (this.#isStopped) return 'away';
    const asked = new AbortController();
    const { timeoutMs } = gateway;
    // It also ends an answer that is not read.
    setTimeout(() => asked.abort(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs).unref();
    this.#requests.add(asked);
    try {
      const { statusCode, body } = await request(`${gateway.url.replace(/\/$/, '')}/v1/flow-marks`, {
        method: 'POST',
        headers: { authorization: `Bearer ${secret.reveal()}`, 'content-type': 'application/json' },
        body: JSON.stringify({ marks: [mark] }),
        signal: asked.signal,
      });
      // The status says whether it took the mark, whatever becomes of the body.
      if (statusCode < 300) return outcomeOf(await limitedText(body, MAX_ANSWER_BYTES).catch(() => null));
      void body.dump().catch(() => {});
      logger.warn({ statusCode }, 'the gateway refused to mark a flow');
      return statusCode < 500 && statusCode !== TOO_MANY_REQUESTS ? 'refused' : 'away';
    } catch (error) {
      logger.warn({ err: error }, 'the gateway could not be asked to mark a flow');
    } finally {
      this.#requests.delete(asked);
    }
    return 'away';
  }
}

function isFailed(outcome: MarkOutcome): boolean {
  return outcome === 'refused' || outcome === 'away';
}

/** Of a request with one mark. A gateway of another vendor may say something else, or nothing. */
function outcomeOf(answer: string | null): MarkOutcome {
  const said = flowMarksAnswerSchema.safeParse(answer === null ? null : jsonOf(answer)).data;
  if (said === undefined) return 'taken';
  if (said.ended.includes(0)) return 'ended';
  return said.ended.length + said.unknown.length > 0 ? 'taken' : 'marked';
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function flowMarkOf(raw: MarkedFlow, zeroRatingTag: string | null, contentType: SessionContentType): FlowMark | null {
  const { localAddress = '', localPort = 0, remoteAddress = '', remotePort = 0 } = raw;
  const [proxyIp, terminalIp] = [canonicalIp(localAddress), canonicalIp(remoteAddress)];
  // The terminal is gone already.
  if (proxyIp === null || terminalIp === null) return null;
  const ends = { proxyIp, proxyPort: localPort, terminalIp, terminalPort: remotePort };
  return { ...ends, protocol: raw.protocol ?? 6, zeroRatingTag, contentType };
}
