import type { QuotaUpdate } from '../billing/quota-update.ts';

export interface QuotaMessage {
  key: Buffer;
  value: Buffer;
}

/** What a record of a Kafka batch has besides key and value, at the most: lengths, deltas, attributes. */
const RECORD_OVERHEAD_OCTETS = 32;

/** A consumer, and compaction, keep the last message of a key. */
export function quotaMessage(update: QuotaUpdate, encode: (update: QuotaUpdate) => Buffer): QuotaMessage {
  return { key: Buffer.from(`${update.subscriber}|${update.planId}`), value: encode(update) };
}

/** Cuts the messages, in order, into requests within the limits; a message larger than that goes alone. */
export function cutIntoRequests(
  messages: readonly QuotaMessage[],
  limits: { octets: number; messages: number },
): QuotaMessage[][] {
  const requests: QuotaMessage[][] = [];
  let request: QuotaMessage[] = [];
  let octets = 0;
  for (const message of messages) {
    const size = message.key.length + message.value.length + RECORD_OVERHEAD_OCTETS;
    if (request.length > 0 && (octets + size > limits.octets || request.length === limits.messages)) {
      requests.push(request);
      request = [];
      octets = 0;
    }
    request.push(message);
    octets += size;
  }
  if (request.length > 0) requests.push(request);
  return requests;
}
