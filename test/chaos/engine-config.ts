export interface EngineConfig {
  catalogue: string;
  brokers: readonly string[];
  topic: string;
  sessionTimeoutMs: number;
  storeUrl: string;
  database: string;
}

/** Returns the configuration file of engines and audit. Batches are small, so that the faults hit many. */
export function engineConfig({
  catalogue,
  brokers,
  topic,
  sessionTimeoutMs,
  storeUrl,
  database,
}: EngineConfig): string {
  return `catalogue: ${catalogue}
source:
  kafka:
    brokers: [${brokers.map((broker) => `"${broker}"`).join(', ')}]
    topic: ${topic}
    groupId: chaos
    fetchWaitTimeoutMs: 100
    sessionTimeoutMs: ${sessionTimeoutMs}
    heartbeatIntervalMs: 500
    rebalanceTimeoutMs: 10000
store: { url: "${storeUrl}", database: ${database} }
quotaUpdates: { topic: ${topic}-quota }
batch: { maxRecords: 100, maxDelayMs: 100 }
`;
}
