/** A log: a Kafka topic-partition, or one file. `lane` names what shares counters and a chain of batches. */
export interface TopicPartition {
  topic: string;
  partition: number;
  /** Kafka: `topic-partition`. Files: one lane for all files of a store, as a subscriber's month spans many of them. */
  lane: string;
}

/** What the topics of corrected records begin with. No topic of Kafka and no file's has a slash in its name. */
export const RECYCLED = 'recycled/';

/**
 * The name of the file that this topic is a later generation of, as in `name~1a2b3c4d~2`; null for any other. What logs of that
 * name had before is in the file again, so it is recognised however long ago it was booked.
 */
export function rewrittenName(topic: string): string | null {
  return /^(.*)~[0-9a-f]{8}~\d+$/.exec(topic)?.[1] ?? null;
}

/** The log that the corrected records of a recycling are booked under; partition and offsets are those of the rejections. */
export function recycledTopic(number: number, topic: string): string {
  return `${RECYCLED}${number}/${topic}`;
}
