import type { AdmissionKernel } from './admission-kernel.ts';
import type { FlowBatch, FlowRecord } from './flow-record.ts';
import { NO_RAT_TYPE, NO_TEXT } from './kernel/regions.ts';
import { TextNumbers } from './names.ts';

/** What a plan asks of where the terminal was; null asks nothing. All must hold. */
export interface NetworkCondition {
  roaming: 'home' | 'roaming' | null;
  homePlmns: readonly string[];
  servingPlmns: readonly string[] | null;
  /** Numbers of radio access types. */
  ratTypes: readonly number[] | null;
  trackingAreas: readonly string[] | null;
}

/** Numbers of texts: of a field that is null, of a text that no condition names, and of the first one that is named. */
const ABSENT = 0;
const UNNAMED = 1;
const FIRST_NAMED = 2;
/** Radio access types and the one that is null, which is 0. */
const RAT_TYPE_CODES = 257;

/** Texts that conditions name, as small integers. */
class NamedTexts {
  readonly #numbers: ReadonlyMap<string, number>;
  readonly #ofKernel = new TextNumbers((text) => this.numberOf(text));
  /** Above all numbers. */
  readonly end: number;

  constructor(texts: Iterable<string>) {
    const named = [...new Set(texts)];
    this.#numbers = new Map(named.map((text, at) => [text, FIRST_NAMED + at]));
    this.end = FIRST_NAMED + named.length;
  }

  numberOf(text: string | null): number {
    return text === null ? ABSENT : (this.#numbers.get(text) ?? UNNAMED);
  }

  numberOfText(kernel: AdmissionKernel, text: number): number {
    return text === NO_TEXT ? ABSENT : this.#ofKernel.of(kernel, text);
  }
}

/** A condition with the numbers of its texts. */
interface NumberedCondition {
  roaming: NetworkCondition['roaming'];
  home: ReadonlySet<number>;
  plmns: ReadonlySet<number> | null;
  ratTypes: ReadonlySet<number> | null;
  areas: ReadonlySet<number> | null;
}

/**
 * Conditions of a catalogue's plans on the network. What a record says of it becomes one number, `FlowBatch.network`, which is 0 where it
 * says nothing.
 */
export class NetworkConditions {
  readonly #plmns: NamedTexts;
  readonly #areas: NamedTexts;
  /** By plan; null: none. */
  readonly #conditions: readonly (NumberedCondition | null)[];
  /** Whether any plan has one. */
  readonly #isAsked: boolean;

  constructor(conditions: readonly (NetworkCondition | null)[]) {
    const all = conditions.filter((each) => each !== null);
    this.#isAsked = all.length > 0;
    this.#plmns = new NamedTexts(all.flatMap(({ homePlmns, servingPlmns }) => [...homePlmns, ...(servingPlmns ?? [])]));
    this.#areas = new NamedTexts(all.flatMap(({ trackingAreas }) => trackingAreas ?? []));
    const numbers = (texts: readonly string[], named: NamedTexts) => new Set(texts.map((text) => named.numberOf(text)));
    this.#conditions = conditions.map((each) =>
      each === null
        ? null
        : {
            roaming: each.roaming,
            home: numbers(each.homePlmns, this.#plmns),
            plmns: each.servingPlmns && numbers(each.servingPlmns, this.#plmns),
            ratTypes: each.ratTypes && new Set(each.ratTypes.map((ratType) => ratType + 1)),
            areas: each.trackingAreas && numbers(each.trackingAreas, this.#areas),
          },
    );
  }

  /** Returns what `FlowBatch.network` says of a record. */
  numberOf({ servingPlmn, ratType, trackingArea }: FlowRecord): number {
    if (!this.#isAsked) return 0;
    return this.#number(
      this.#plmns.numberOf(servingPlmn),
      ratType === null ? 0 : ratType + 1,
      this.#areas.numberOf(trackingArea),
    );
  }

  /** Fills `network` of the kernel's rows [from, to), which are a batch's from `begin` on. */
  take(kernel: AdmissionKernel, from: number, to: number, batch: FlowBatch, begin: number): void {
    if (!this.#isAsked) return;
    const { hasNetwork, servingPlmnText, ratType, trackingAreaText } = kernel;
    for (let row = from; row < to; row++) {
      if (hasNetwork[row] === 0) continue;
      batch.network[begin + row - from] = this.#number(
        this.#plmns.numberOfText(kernel, servingPlmnText[row]),
        ratType[row] === NO_RAT_TYPE ? 0 : ratType[row] + 1,
        this.#areas.numberOfText(kernel, trackingAreaText[row]),
      );
    }
  }

  #number(plmn: number, ratType: number, area: number): number {
    return (area * RAT_TYPE_CODES + ratType) * this.#plmns.end + plmn;
  }

  /** Whether what a record says fulfils a plan's conditions; a field that is null fulfils none. */
  areMet(plan: number, network: number): boolean {
    const condition = this.#conditions[plan];
    if (condition === null) return true;
    const plmn = network % this.#plmns.end;
    const others = (network - plmn) / this.#plmns.end;
    const ratType = others % RAT_TYPE_CODES;
    const area = (others - ratType) / RAT_TYPE_CODES;
    const { roaming, home, plmns, ratTypes, areas } = condition;
    if (roaming !== null && (plmn === ABSENT || home.has(plmn) !== (roaming === 'home'))) return false;
    return (plmns?.has(plmn) ?? true) && (ratTypes?.has(ratType) ?? true) && (areas?.has(area) ?? true);
  }
}
