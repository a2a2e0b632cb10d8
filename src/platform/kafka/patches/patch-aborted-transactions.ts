import { kafkajsInternal } from './kafkajs-internals.ts';

/** A record of a fetch, as kafkajs decodes it. Offsets and producer ids are decimal digits. */
export interface FetchedRecord {
  offset: string;
  key: Uint8Array | null;
  isControlRecord: boolean;
  batchContext: { producerId: string; inTransaction: boolean };
}

/** One partition's part of a fetch. */
export interface FetchedPartition {
  /** Transactions that have records at or after the fetch's offset and were aborted, with their first record's offset. */
  abortedTransactions?: readonly { producerId: string; firstOffset: string }[] | null;
  messages: readonly FetchedRecord[];
}

interface Broker {
  fetch(request: object): Promise<{ responses: readonly { partitions: readonly FetchedPartition[] }[] }>;
}

const ABORT_MARKER = Buffer.from([0, 0, 0, 0]);

/**
 * kafkajs 2.2.4 lets records of aborted transactions through when a fetch begins inside of two of them or more: at each
 * record it takes note of one aborted transaction at the most, though several have begun by then. So they are hidden
 * before kafkajs looks: as control records, which count for the position and are not handed out.
 */
export function patchAbortedTransactions(): void {
  const { prototype } = kafkajsInternal<{ prototype: Broker }>('broker/index.js');
  const { fetch } = prototype;
  prototype.fetch = async function (this: Broker, request) {
    const answer = await fetch.call(this, request);
    for (const { partitions } of answer.responses) partitions.forEach(markAborted);
    return answer;
  };
}

/** Makes the aborted records of a fetch control records. */
export function markAborted({ abortedTransactions, messages }: FetchedPartition): void {
  const ahead = [...(abortedTransactions ?? [])].sort((a, b) => Number(a.firstOffset) - Number(b.firstOffset));
  if (ahead.length === 0) return;
  const aborted = new Set<string>();
  let next = 0;
  for (const message of messages) {
    for (; next < ahead.length && Number(ahead[next]?.firstOffset) <= Number(message.offset); next++) {
      aborted.add(ahead[next]?.producerId ?? '');
    }
    const { producerId, inTransaction } = message.batchContext;
    if (message.isControlRecord) {
      if (message.key !== null && ABORT_MARKER.equals(message.key)) aborted.delete(producerId);
    } else if (inTransaction && aborted.has(producerId)) {
      message.isControlRecord = true;
    }
  }
}
