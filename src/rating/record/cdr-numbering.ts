/**
 * How records that were cut out of CDRs are numbered. TS 32.298 numbers CDRs: `localSequenceNumber` is consecutive for a
 * node over all of its CDRs. A CDR holds many service data containers, so a record's number is its CDR's times
 * RECORDS_PER_CDR and its place: the pair stays unique, and without the place it is the gateway's own number, whose gaps
 * show lost CDRs. The name of the node says which numbering it is, for a gateway may send flow records of its own too.
 */
export const CDR_NODE_SUFFIX = '/cdr';
/** A power of ten, for people: 420003 is container 3 of CDR 42. */
export const RECORDS_PER_CDR = 10_000;

/** As SQL, over the columns that hold node and number of a record: the number that is consecutive for the node. */
export function consecutiveNumber(nodeId: string, number: string): string {
  return `if(endsWith(${nodeId}, '${CDR_NODE_SUFFIX}'), intDiv(${number}, ${RECORDS_PER_CDR}), ${number})`;
}
