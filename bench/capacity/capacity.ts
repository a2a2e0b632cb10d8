/** What was measured: seconds of one core for each record, octets, and what one engine process reads at most. */
export interface Measured {
  engineCoreSeconds: number;
  storeCoreSeconds: number;
  /** The broker, and what else the machine did. */
  brokerCoreSeconds: number;
  recordsPerSecondOfAnEngine: number;
  /** Of one row of the journal on disk, and of one record in the topic. */
  journalOctets: number;
  recordOctets: number;
  /** Rows booked for each record read. */
  rowsPerRecord: number;
  /** Memory of an open counter in an engine. */
  counterOctets: number;
}

/** What cannot be measured here. */
export interface Assumptions {
  /** How busy a part may be: what is left is for catching up after an outage. */
  utilisation: number;
  coresOfAMachine: number;
  recordsOfABatch: number;
  /** A batch that does not fill is booked after this long. */
  secondsOfABatch: number;
  replicas: number;
  monthsKept: number;
  pricesOf: string;
  usdPerCoreHour: number;
  usdPerGibMonth: number;
}

export interface Capacity {
  recordsPerSecond: number;
  partitions: number;
  engineCores: number;
  storeCores: number;
  brokerCores: number;
  machines: number;
  insertsPerSecond: number;
  /** All copies. */
  journalGibPerDay: number;
  topicMibPerSecond: number;
}

const GIB = 2 ** 30;
const SECONDS_PER_DAY = 86_400;

/** What a rate of records takes. Stores and brokers have every copy to write. */
export function capacityFor(recordsPerSecond: number, measured: Measured, assumed: Assumptions): Capacity {
  const { utilisation, replicas, coresOfAMachine } = assumed;
  const cores = (seconds: number) => (recordsPerSecond * seconds) / utilisation;
  const partitions = Math.ceil(recordsPerSecond / (measured.recordsPerSecondOfAnEngine * utilisation));
  const engineCores = cores(measured.engineCoreSeconds);
  const storeCores = cores(measured.storeCoreSeconds) * replicas;
  const brokerCores = cores(measured.brokerCoreSeconds) * replicas;
  const journalOctets = recordsPerSecond * measured.rowsPerRecord * measured.journalOctets * replicas;
  return {
    recordsPerSecond,
    partitions,
    engineCores,
    storeCores,
    brokerCores,
    // No part shares a machine with another, and those with copies have as many machines at least.
    machines:
      Math.max(2, Math.ceil(engineCores / coresOfAMachine)) +
      Math.max(replicas, Math.ceil(storeCores / coresOfAMachine)) +
      Math.max(replicas, Math.ceil(brokerCores / coresOfAMachine)),
    // Each partition books a batch when it is full, or when its time is over.
    insertsPerSecond: Math.max(recordsPerSecond / assumed.recordsOfABatch, partitions / assumed.secondsOfABatch),
    journalGibPerDay: (journalOctets * SECONDS_PER_DAY) / GIB,
    topicMibPerSecond: (recordsPerSecond * measured.recordOctets) / 2 ** 20,
  };
}

/** US dollars for a million records: cores while they are read, and disk for as long as the journal is kept. */
export function costOfAMillion(measured: Measured, assumed: Assumptions): { cores: number; disk: number } {
  const { engineCoreSeconds, storeCoreSeconds, brokerCoreSeconds } = measured;
  const { replicas, utilisation, usdPerCoreHour, usdPerGibMonth, monthsKept } = assumed;
  const coreSeconds = engineCoreSeconds + (storeCoreSeconds + brokerCoreSeconds) * replicas;
  const gib = (measured.rowsPerRecord * measured.journalOctets * replicas) / GIB;
  return {
    cores: ((1e6 * coreSeconds) / utilisation / 3600) * usdPerCoreHour,
    disk: 1e6 * gib * usdPerGibMonth * monthsKept,
  };
}
