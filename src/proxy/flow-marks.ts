import { request } from 'undici';
import type { Logger } from '../platform/logger.ts';
import type { PeerSecret } from '../platform/peer-secret.ts';
import type { ContentType } from '../session-protocol/content-octets.ts';
import type { FlowMark } from '../session-protocol/flow-mark.ts';
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
  #failed = 0;

  constructor(options: FlowMarksOptions) {
    this.#options = options;
  }

  /** Flows that continued without their mark, or with one that they should not have had. */
  get failed(): number {
    return this.#failed;
  }

  /** Puts the tag on a terminal's connection, or with null takes it away. Resolves within the time-out, whatever comes of it. */
  async mark(raw: MarkedFlow, zeroRatingTag: string | null, contentType: ContentType): Promise<void> {
    if (this.#options.gateway === null) return;
    const mark = flowMarkOf(raw, zeroRatingTag, contentType);
    if (mark === null) return;
    this.#owed.delete(raw);
    if (await this.#post(mark)) return;
    this.#failed++;
    if (zeroRatingTag === null && !raw.destroyed && this.#owed.size < MAX_OWED) this.#owed.set(raw, mark);
  }

  /** Asks once more to take away what should not be there. */
  async retry(): Promise<void> {
    const owed = [...this.#owed];
    for (const [raw, mark] of owed) {
      if (raw.destroyed || (await this.#post(mark))) this.#owed.delete(raw);
      else return;
    }
  }

  async #post(mark: FlowMark): Promise<boolean> {
    const { gateway, secret, logger } = this.#options;
    if (gateway === null) return true;
    try {
      const { statusCode, body } = await request(`${gateway.url.replace(/\/$/, '')}/v1/flow-marks`, {
        method: 'POST',
        headers: { authorization: `Bearer ${secret.reveal()}`, 'content-type': 'application/json' },
        body: JSON.stringify({ marks: [mark] }),
        signal: AbortSignal.timeout(gateway.timeoutMs),
      });
      await body.dump();
      if (statusCode < 300) return true;
      logger.warn({ statusCode }, 'the gateway refused to mark a flow');
    } catch (error) {
      logger.warn({ err: error }, 'the gateway could not be asked to mark a flow');
    }
    return false;
  }
}

function flowMarkOf(raw: MarkedFlow, zeroRatingTag: string | null, contentType: ContentType): FlowMark | null {
  const { localAddress = '', localPort = 0, remoteAddress = '', remotePort = 0 } = raw;
  const [proxyIp, terminalIp] = [canonicalIp(localAddress), canonicalIp(remoteAddress)];
  // The terminal is gone already.
  if (proxyIp === null || terminalIp === null) return null;
  const ends = { proxyIp, proxyPort: localPort, terminalIp, terminalPort: remotePort };
  return { ...ends, protocol: raw.protocol ?? 6, zeroRatingTag, contentType };
}
