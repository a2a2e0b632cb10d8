import type { AdmissionKernel } from './admission-kernel.ts';
import { byBeginning, ClaimChains, ClaimChainWriter, NO_OWNER, type Span } from './claims.ts';
import { DETECTIONS, type Detection, type FlowBatch, type FlowRecord } from './flow-record.ts';
import { NO_TEXT } from './kernel/regions.ts';
import { TextNumbers } from './names.ts';
import { NO_TEXT_NUMBER, TextTable, type TextTableData, textTable } from './text-table.ts';

/** A name that gateways give an application's traffic which they detect. */
export interface DetectionClaim extends Span {
  name: string;
  /** Null: however it was detected, also where the record does not say. */
  by: readonly Detection[] | null;
}

/** Codes of how something was detected: 0 where the record does not say, otherwise 1 and the place in DETECTIONS. */
const CODES = DETECTIONS.length + 1;

/** Whether a claim takes a detection of this kind; null: the record does not say of which. */
export function takesDetection({ by }: DetectionClaim, detectedBy: Detection | null): boolean {
  return by === null || (detectedBy !== null && by.includes(detectedBy));
}

/** Detected names that applications claim, in flat arrays. */
export interface DetectionTable {
  names: TextTableData;
  /** By the name's number and the code of how it was detected, whose it is: see `ClaimChains`. */
  owners: Int32Array;
  /** What `ClaimChains` reads. */
  chains: Float64Array;
}

/** `claims`: by application. */
export function detectionTable(claims: readonly (readonly DetectionClaim[])[]): DetectionTable {
  const all = claims.flatMap((own, application) => own.map((claim) => ({ claim, application })));
  const numbers = new Map<string, number>();
  for (const { claim } of all) if (!numbers.has(claim.name)) numbers.set(claim.name, numbers.size);
  const chains = new ClaimChainWriter();
  const owners = new Int32Array(numbers.size * CODES).fill(NO_OWNER);
  for (const { claim, application } of all.sort((a, b) => byBeginning(a.claim, b.claim))) {
    const { name, fromMs, toMs } = claim;
    for (let code = 0; code < CODES; code++) {
      if (!takesDetection(claim, code === 0 ? null : DETECTIONS[code - 1])) continue;
      const at = (numbers.get(name) ?? 0) * CODES + code;
      owners[at] = chains.ownerOf(application, { text: name, fromMs, toMs }, owners[at]);
    }
  }
  return { names: textTable([...numbers.keys()]), owners, chains: chains.take() };
}

/** Which application claims what a gateway detected, by the gateway's name for it and by how it was detected. */
export class DetectionClaims {
  readonly isEmpty: boolean;
  readonly #names: TextTable;
  readonly #kernelNumbers = new TextNumbers((name) => this.#names.numberOf(name));
  readonly #owners: Int32Array;
  readonly #chains: ClaimChains;

  constructor({ names, owners, chains }: DetectionTable) {
    this.#names = new TextTable(names);
    this.isEmpty = this.#names.length === 0;
    this.#owners = owners;
    this.#chains = new ClaimChains(chains);
  }

  /** Returns the application that claims what was detected in a record, at its start; NO_OWNER where none does. */
  applicationOf({ detectedApplication, detectedBy }: FlowRecord, batch: FlowBatch, row: number): number {
    if (detectedApplication === null) return NO_OWNER;
    const code = detectedBy === null ? 0 : DETECTIONS.indexOf(detectedBy) + 1;
    return this.#resolve(this.#names.numberOf(detectedApplication), code, batch, row);
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

  #resolve(number: number, code: number, batch: FlowBatch, row: number): number {
    if (number === NO_TEXT_NUMBER) return NO_OWNER;
    return this.#chains.applicationOf(this.#owners[number * CODES + code], batch, row);
  }
}
