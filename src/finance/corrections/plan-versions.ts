export interface PlanVersion {
  /** Empty where no plan sponsors the record. */
  planId: string;
  version: number;
}

/** No plan at all. */
export const NO_PLAN = 0;

/** Versions of plans as small integers: those of booked rows and those of a catalogue. */
export class PlanVersions {
  readonly #list: PlanVersion[] = [];
  readonly #codes = new Map<string, Map<number, number>>();

  constructor() {
    this.codeOf('', 0);
  }

  codeOf(planId: string, version: number): number {
    let byVersion = this.#codes.get(planId);
    if (byVersion === undefined) {
      byVersion = new Map();
      this.#codes.set(planId, byVersion);
    }
    let code = byVersion.get(version);
    if (code === undefined) {
      code = this.#list.push({ planId, version }) - 1;
      byVersion.set(version, code);
    }
    return code;
  }

  at(code: number): PlanVersion {
    return this.#list[code];
  }
}
