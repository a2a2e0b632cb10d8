import { readSessionTag, type TagVerdict, verifySessionTag } from '../protocol/session-tag.ts';
import { isTagDatagram, TAG_ACCEPTED, TAG_LAPSES_AFTER_MS, TAG_OVER } from '../protocol/tag-datagram.ts';
import type { Mark } from './flow-meter.ts';
import type { FlowEnds } from './flow-table.ts';
import type { TagOutcome, TerminalTags } from './terminal-tags.ts';

/** What a tag does to its flow. `set`: false when the flow has a mark of its proxy. */
interface FlowMarking {
  set: (mark: Mark) => boolean;
  remove: (mark: Mark) => void;
}

/** Returns what reads the tag of a flow of datagrams; null when it goes to no registered proxy. */
export function followDatagrams(tags: TerminalTags, ends: FlowEnds, marking: FlowMarking): DatagramTag | null {
  return tags.isToProxy(ends) ? new DatagramTag(tags, ends, marking) : null;
}

/**
 * The session tag of a flow of datagrams: its first one. It counts once the proxy accepts it, until the proxy says that the flow is
 * over or has been silent for too long: datagrams have no end that the network sees.
 */
export class DatagramTag {
  readonly #tags: TerminalTags;
  readonly #ends: FlowEnds;
  readonly #setMark: (mark: Mark) => boolean;
  readonly #removeMark: (mark: Mark) => void;
  #state: 'first' | 'verifying' | 'verified' | 'taken' | 'done' = 'first';
  #isAccepted = false;
  #mark: Mark | null = null;
  #verifying: Promise<void> | null = null;
  #answeredAtMs = 0;

  constructor(tags: TerminalTags, ends: FlowEnds, { set, remove }: FlowMarking) {
    this.#tags = tags;
    this.#ends = ends;
    this.#setMark = set;
    this.#removeMark = remove;
  }

  /** Whether it may still put its first mark on the flow. */
  get isPending(): boolean {
    return this.#state === 'verifying' || this.#state === 'verified';
  }

  /** A datagram of the terminal, before it is counted. */
  uplink(octets: Buffer): void {
    const { nowMs } = this.#tags.options;
    if (this.#state === 'taken' && nowMs() - this.#answeredAtMs > TAG_LAPSES_AFTER_MS) this.#over();
    if (this.#state !== 'first') return;
    if (!isTagDatagram(octets) || readSessionTag(octets) === null) {
      this.#state = 'done';
      return;
    }
    this.#state = 'verifying';
    const verdict = verifySessionTag(Buffer.from(octets), this.#tags.options);
    if (verdict instanceof Promise) this.#verifying = verdict.then((late) => this.#take(late));
    else this.#take(verdict);
  }

  /** A datagram of the proxy, before it is counted. */
  downlink(octets: Buffer): void {
    if (this.#state === 'done') return;
    this.#answeredAtMs = this.#tags.options.nowMs();
    if (octets.equals(TAG_ACCEPTED)) {
      this.#isAccepted = true;
      this.#apply();
    } else if (octets.equals(TAG_OVER)) this.#over();
  }

  /** Resolves when what is known of the tag is final; to be awaited before the flow's last record. */
  async close(): Promise<void> {
    await this.#verifying;
    if (this.#state === 'verified') this.#end('closed');
  }

  #take(verdict: TagVerdict): void {
    if (this.#state !== 'verifying') return;
    if (verdict.fault !== undefined) {
      this.#end(verdict.fault);
      return;
    }
    const mark = this.#tags.markOf(verdict.tag, this.#ends, null);
    if (typeof mark === 'string') {
      this.#end(mark);
      return;
    }
    this.#mark = mark;
    this.#state = 'verified';
    this.#apply();
  }

  #apply(): void {
    if (this.#state !== 'verified' || !this.#isAccepted || this.#mark === null) return;
    const isTaken = this.#setMark(this.#mark);
    this.#end(isTaken ? 'taken' : 'marked_by_proxy');
    if (isTaken) this.#state = 'taken';
  }

  #over(): void {
    if (this.#state === 'taken' && this.#mark !== null) this.#removeMark(this.#mark);
    else if (this.#state === 'verified') this.#end('refused_by_proxy');
    this.#state = 'done';
  }

  #end(outcome: TagOutcome): void {
    this.#state = 'done';
    this.#tags.count(outcome);
  }
}
