/** A log: a Kafka topic-partition, or one file. `lane` names what shares counters and a chain of batches. */
export interface TopicPartition {
  topic: string;
  partition: number;
  /** Kafka: `topic-partition`. Files: one lane for all files of a store, as a subscriber's month spans many of them. */
  lane: string;
}
