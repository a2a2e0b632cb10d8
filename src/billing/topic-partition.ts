/** A log: a Kafka topic-partition, or one file. `lane` names what shares counters and a chain of batches. */
export interface TopicPartition {
  topic: string;
  partition: number;
  /** Kafka: `topic-partition`. Files: one lane for all files of a store, as a subscriber's month spans many of them. */
  lane: string;
}

/** What the topics of mended records begin with. No topic of Kafka and no file's has a slash in its name. */
export const RECYCLED = 'recycled/';

/** The log that the mended records of a recycling are booked under; partition and offsets are those of the rejections. */
export function recycledTopic(number: number, topic: string): string {
  return `${RECYCLED}${number}/${topic}`;
}
