import type { SessionContentType } from '../protocol/content-octets.ts';
import type { Admitted } from './admission.ts';
import type { FlowMarks, MarkedFlow, MarkOutcome } from './flow-marks.ts';

/** What the network knows of a connection: whether it carries the preset tag. Nothing should pass while that changes. */
export class ConnectionMark {
  readonly #flow: MarkedFlow;
  readonly #admitted: Admitted;
  readonly #marks: FlowMarks;
  readonly #onChange: () => void;
  #isMarked = false;
  #hasBegun = false;
  #hasEnded = false;
  #beginning = Promise.resolve();
  #changes = 0;
  #done: Promise<unknown> = Promise.resolve();

  /** `onChange` is called as a change begins, and when it is over. */
  constructor(flow: MarkedFlow, admitted: Admitted, marks: FlowMarks, onChange: () => void) {
    this.#flow = flow;
    this.#admitted = admitted;
    this.#marks = marks;
    this.#onChange = onChange;
  }

  get isChanging(): boolean {
    return this.#changes > 0;
  }

  /**
   * The network knows whose traffic it is, or has been asked in vain; by a session tag it knows with the answer that accepts the
   * connection. What ends before that is in no flow record with the tag, and is not to be counted as the session's either.
   */
  get hasBegun(): boolean {
    return this.#hasBegun;
  }

  /** The terminal has left the connection before the network knew: its records have no mark. */
  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  begin(): Promise<void> {
    this.#beginning = this.#begin();
    return this.#beginning;
  }

  /** Resolves to `hasBegun` once that is final, for the last count of a connection that is closed. */
  async whetherBegun(): Promise<boolean> {
    await this.#beginning;
    return this.#hasBegun;
  }

  async #begin(): Promise<void> {
    const outcome = await this.renew();
    this.#hasEnded = outcome === 'ended';
    if (this.#admitted.payer === 'sponsor') return;
    // What the network has marked is the session's, and what it has not marked is not, whatever the proxy sees of the terminal.
    this.#hasBegun = outcome === 'marked' || (outcome !== 'ended' && !this.#flow.destroyed);
  }

  /** The answer that accepts the connection is being written. */
  accept(): void {
    if (this.#admitted.payer === 'sponsor') this.#hasBegun = true;
  }

  /** Brings the mark to what it should be, one change after the other. Resolves to what came of it; null where there was none to make. */
  async renew(): Promise<MarkOutcome | null> {
    const { application, contentType, session, type, payer } = this.#admitted;
    // Tagged or not, the network knows such a connection without a mark, and it never changes.
    if (payer !== 'by_credit') return null;
    const { zeroRatingTag } = application;
    return this.#change(zeroRatingTag !== null && session.isSponsored(type), zeroRatingTag, contentType);
  }

  /** Takes the mark away for good: a flow that has no end of its own (UDP) is the subscriber's from now on. */
  async end(): Promise<void> {
    await this.#change(false, null, this.#admitted.contentType);
  }

  async #change(
    isSponsored: boolean,
    zeroRatingTag: string | null,
    contentType: SessionContentType,
  ): Promise<MarkOutcome | null> {
    if (isSponsored === this.#isMarked) return null;
    this.#isMarked = isSponsored;
    this.#changes++;
    this.#onChange();
    const tag = isSponsored ? zeroRatingTag : null;
    const marking = this.#done.then(() => this.#marks.mark(this.#flow, tag, contentType));
    this.#done = marking;
    const outcome = await marking;
    this.#changes--;
    this.#onChange();
    return outcome;
  }
}
