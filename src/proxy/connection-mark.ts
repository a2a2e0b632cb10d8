import type { Socket } from 'node:net';
import type { Admitted } from './admission.ts';
import type { FlowMarks } from './flow-marks.ts';

/** What the network knows of a connection: whether it carries the preset tag. Nothing should pass while that changes. */
export class ConnectionMark {
  readonly #raw: Socket;
  readonly #admitted: Admitted;
  readonly #marks: FlowMarks;
  readonly #onChange: () => void;
  #isMarked = false;
  #hasBegun = false;
  #changes = 0;
  #done = Promise.resolve();

  /** `onChange` is called as a change begins, and when it is over. */
  constructor(raw: Socket, admitted: Admitted, marks: FlowMarks, onChange: () => void) {
    this.#raw = raw;
    this.#admitted = admitted;
    this.#marks = marks;
    this.#onChange = onChange;
  }

  get isChanging(): boolean {
    return this.#changes > 0;
  }

  /**
   * The network knows whose traffic it is, or has been asked in vain. What ends before that is in no flow record with the tag, and
   * is not to be counted as the session's either.
   */
  get hasBegun(): boolean {
    return this.#hasBegun;
  }

  async begin(): Promise<void> {
    await this.renew();
    this.#hasBegun = !this.#raw.destroyed;
  }

  /** Brings the mark to what it should be, one change after the other. */
  async renew(): Promise<void> {
    const { application, contentType, session, type, payer } = this.#admitted;
    // Tagged or not, the network knows such a connection without a mark, and it never changes.
    if (payer !== 'by_credit') return;
    const { zeroRatingTag } = application;
    const isSponsored = session.isSponsored(type);
    if (zeroRatingTag === null || isSponsored === this.#isMarked) return;
    this.#isMarked = isSponsored;
    this.#changes++;
    this.#onChange();
    const tag = isSponsored ? zeroRatingTag : null;
    this.#done = this.#done.then(() => this.#marks.mark(this.#raw, tag, contentType));
    await this.#done;
    this.#changes--;
    this.#onChange();
  }
}
