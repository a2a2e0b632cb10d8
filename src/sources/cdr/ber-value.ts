/** One encoded value (X.690): a tag, and its octets or the values inside of it. */
export interface BerValue {
  /** Number of a context-specific tag, as all fields of TS 32.298 have; -1 for a tag of another class. */
  tag: number;
  /** The content of a primitive value; empty for a constructed one. */
  octets: Uint8Array;
  /** The values inside of a constructed one, in their order. */
  values: readonly BerValue[];
}
