import type { SessionContentType } from '../protocol/content-octets.ts';
import type { Admitted } from './admission.ts';
import type { FlowMarks, MarkedFlow } from './flow-marks.ts';

/** What the network knows of a connection: whether it carries the preset tag. Nothing should pass while that changes. */
export class ConnectionMark {
  readonly #flow: MarkedFlow;
  readonly #admitted: Admitted;
  readonly #marks: FlowMarks;
  readonly #onChange: () => void;
  #isMarked = false;
  #hasBegun = false;
  #changes = 0;
  #done = Promise.resolve();

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

  async begin(): Promise<void> {
    await this.renew();
    if (this.#admitted.payer !== 'sponsor') this.#hasBegun = !this.#flow.destroyed;
  }

  /** The answer that accepts the connection is being written. */
  accept(): void {
    if (this.#admitted.payer === 'sponsor') this.#hasBegun = true;
  }

  /** Brings the mark to what it should be, one change after the other. */
  async renew(): Promise<void> {
    const { application, contentType, session, type, payer } = this.#admitted;
    // Tagged or not, the network knows such a connection without a mark, and it never changes.
    if (payer !== 'by_credit') return;
    const { zeroRatingTag } = application;
    await this.#change(zeroRatingTag !== null && session.isSponsored(type), zeroRatingTag, contentType);
  }

  /** Takes the mark away for good: a flow that has no end of its own (UDP) is the subscriber's from now on. */
  end(): Promise<void> {
    return this.#change(false, null, this.#admitted.contentType);
  }

  async #change(isSponsored: boolean, zeroRatingTag: string | null, contentType: SessionContentType): Promise<void> {
    if (isSponsored === this.#isMarked) return;
    this.#isMarked = isSponsored;
    this.#changes++;
    this.#onChange();
    const tag = isSponsored ? zeroRatingTag : null;
    this.#done = this.#done.then(() => this.#marks.mark(this.#flow, tag, contentType));
    await this.#done;
    this.#changes--;
    this.#onChange();
  }
}
