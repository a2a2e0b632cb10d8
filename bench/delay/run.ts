import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Kafka } from 'kafkajs';
import { startChild } from '../child.ts';
import { countOf, type EngineSettings, engineCommand, readBooked } from '../engine-config.ts';
import { untilAssigned } from '../group.ts';
import { PARTITIONS, TOPIC } from '../throughput/dataset.ts';
import { type Done, type TimedBatch, timedBatch } from './delays.ts';
import { type QuotaArrivals, watchQuotas } from './quota-arrivals.ts';

const GIVE_UP_AFTER_MS = 120_000;
const LOOK_EVERY_MS = 50;

export interface PacedRun {
  kafka: Kafka;
  engine: EngineSettings;
  /** The jars of Kafka's own client. */
  jars: string;
  /** Encoded records, and their number. */
  file: string;
  records: number;
  /** Records a second. */
  rate: number;
  folder: string;
}

/** What happened when, by partition, in milliseconds since 1970. */
export interface Times {
  /** By offset. */
  sentAtMs: Float64Array<ArrayBuffer>[];
  booked: TimedBatch[][];
  announced: Done[][];
}

/** Sends the records to a topic that an engine reads, and watches both of its ends. */
export async function runPaced(run: PacedRun): Promise<Times> {
  const { kafka, engine, jars, file, records, rate, folder } = run;
  const booked: TimedBatch[][] = Array.from({ length: PARTITIONS }, () => []);
  let bookedRecords = 0;
  const child = startChild('zerorate', await engineCommand(engine), (line) => {
    const batch = readBooked(line);
    if (batch === null) return;
    booked[batch.partition].push(timedBatch(batch));
    bookedRecords += countOf(batch);
  });
  const arrivals = await watchQuotas(kafka, `${engine.group}-quota`, PARTITIONS);
  try {
    const admin = kafka.admin();
    await admin.connect();
    await Promise.race([untilAssigned(admin, engine.group), child.ended]);
    await admin.disconnect();
    const source = fileURLToPath(new URL('Pace.java', import.meta.url));
    const pace = ['-cp', `${jars}/*`, source, engine.broker, TOPIC, file, String(rate), folder];
    await startChild('Pace', { command: 'java', args: pace }, () => {}).ended;
    await until(() => bookedRecords === records && isAllAnnounced(booked, arrivals), child.ended);
  } finally {
    await arrivals.stop();
    await child.stop();
  }
  const sentAtMs = await Promise.all(booked.map((_, partition) => readTimes(join(folder, `sent-${partition}`))));
  return { sentAtMs, booked, announced: booked.map((_, partition) => announcedOf(arrivals, partition)) };
}

/** The topic is new: a lane's version is the number of its records, up to and with the last offset. */
function announcedOf({ byVersion }: QuotaArrivals, partition: number): Done[] {
  return [...(byVersion.get(partition) ?? [])].map(([version, atMs]) => ({ lastOffset: version - 1, atMs }));
}

function isAllAnnounced(booked: readonly Done[][], { byVersion }: QuotaArrivals): boolean {
  return booked.every((batches, partition) =>
    batches.every(({ lastOffset }) => byVersion.get(partition)?.has(lastOffset + 1)),
  );
}

async function readTimes(path: string): Promise<Float64Array<ArrayBuffer>> {
  return new Float64Array(new Uint8Array(await readFile(path)).buffer);
}

async function until(isDone: () => boolean, ended: Promise<void>): Promise<void> {
  let hasEnded = false;
  const end = ended.finally(() => {
    hasEnded = true;
  });
  for (const giveUpAtMs = performance.now() + GIVE_UP_AFTER_MS; !isDone(); ) {
    if (hasEnded) await end.then(() => Promise.reject(new Error('the engine ended before it had booked everything')));
    if (performance.now() > giveUpAtMs) throw new Error('the engine has not booked everything; is the rate too high?');
    await Promise.race([pause(LOOK_EVERY_MS), end]);
  }
}
