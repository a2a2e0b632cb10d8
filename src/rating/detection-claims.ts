import type { AdmissionKernel } from './admission-kernel.ts';
import { byBeginning, ClaimChains, ClaimChainWriter, NO_OWNER, type Span } from './claims.ts';
import { DETECTIONS, type Detection, type FlowBatch, type FlowRecord } from './flow-record.ts';
import { NO_TEXT } from './kernel/regions.ts';
import { TextNumbers } from './names.ts';

/** A name that gateways give an application's traffic which they detect. */
export interface DetectionClaim extends Span {
  name: string;
  /** Null: however it was detected, also where the record does not say. */
  by: readonly Detection[] | null;
}

/** Codes of how something was detected: 0 where the record does not say, otherwise 1 and the place in DETECTIONS. */
const CODES = DETECTIONS.length + 1;
const UNCLAIMED = -1;

/** Whether a claim takes a detection of this kind; null: the record does not say of which. */
export function takesDetection({ by }: DetectionClaim, detectedBy: Detection | null): boolean {
  return by === null || (detectedBy !== null && by.includes(detectedBy));
}

/** Which application claims what a gateway detected, by the gateway's name for it and by how it was detected. */
export class DetectionClaims {
  readonly isEmpty: boolean;
  readonly #numbers = new Map<string, number>();
  readonly #kernelNumbers = new TextNumbers((name) => this.#numberOf(name));
  /** By the name's number and the code of how it was detected, whose it is: see `ClaimChains`. */
  readonly #owners: Int32Array;
  readonly #chains: ClaimChains;

  /** `claims`: by application. */
  constructor(claims: readonly (readonly DetectionClaim[])[]) {
    const all = claims.flatMap((own, application) => own.map((claim) => ({ claim, application })));
    for (const { claim } of all) if (!this.#numbers.has(claim.name)) this.#numbers.set(claim.name, this.#numbers.size);
    this.isEmpty = all.length === 0;
    const chains = new ClaimChainWriter();
    this.#owners = new Int32Array(this.#numbers.size * CODES).fill(NO_OWNER);
    for (const { claim, application } of all.sort((a, b) => byBeginning(a.claim, b.claim))) {
      const { name, fromMs, toMs } = claim;
      for (let code = 0; code < CODES; code++) {
        if (!takesDetection(claim, code === 0 ? null : DETECTIONS[code - 1])) continue;
        const at = this.#numberOf(name) * CODES + code;
        this.#owners[at] = chains.ownerOf(application, { text: name, fromMs, toMs }, this.#owners[at]);
      }
    }
    this.#chains = new ClaimChains(chains.take());
  }

  /** Returns the application that claims what was detected in a record, at its start; NO_OWNER where none does. */
  applicationOf({ detectedApplication, detectedBy }: FlowRecord, batch: FlowBatch, row: number): number {
    if (detectedApplication === null) return NO_OWNER;
    const code = detectedBy === null ? 0 : DETECTIONS.indexOf(detectedBy) + 1;
    return this.#resolve(this.#numberOf(detectedApplication), code, batch, row);
  }

  /** Fills `detectedApplication` of the kernel's rows [from, to), which are a batch's from `begin` on. */
  takeRows(kernel: AdmissionKernel, from: number, to: number, batch: FlowBatch, begin: number): void {
    if (this.isEmpty) return;
    const { hasNetwork, detectedText, detectedBy } = kernel;
    for (let row = from, at = begin; row < to; row++, at++) {
      if (hasNetwork[row] === 0 || detectedText[row] === NO_TEXT) continue;
      const number = this.#kernelNumbers.of(kernel, detectedText[row]);
      batch.detectedApplication[at] = this.#resolve(number, detectedBy[row], batch, at);
    }
  }

  #numberOf(name: string): number {
    return this.#numbers.get(name) ?? UNCLAIMED;
  }

  #resolve(number: number, code: number, batch: FlowBatch, row: number): number {
    if (number === UNCLAIMED) return NO_OWNER;
    return this.#chains.applicationOf(this.#owners[number * CODES + code], batch, row);
  }
}
