/**
 * Suffix of nodes whose records are identified by their content: a record's `localSequenceNumber` is a hash, so the numbers
 * are not consecutive and no gap follows from them.
 */
export const CONTENT_NODE_SUFFIX = '/content';

/** As SQL, over the column that holds a record's node: whether the node numbers its records consecutively. */
export function isNumbered(nodeId: string): string {
  return `NOT endsWith(${nodeId}, '${CONTENT_NODE_SUFFIX}')`;
}
