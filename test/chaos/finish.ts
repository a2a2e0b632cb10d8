import { execFile } from 'node:child_process';
import { builtModule } from '../servers/built.ts';
import { becomesTrue } from './wait.ts';
import { PARTITIONS, type World } from './world.ts';

const ALL_BOOKED_WITHIN_MS = 180_000;

/** Ends the traffic and lets the engines book all of it. Resolves with the violations of liveness. */
export async function awaitAllBooked(world: World): Promise<string[]> {
  const { traffic, watch } = world;
  await recover(world);
  await traffic.stop(PARTITIONS);
  const ends = await lastOffsets(world);
  const isAllBooked = await becomesTrue(async () => {
    const cursors = new Map((await watch.lanes()).map(({ partition, cursor }) => [partition, cursor]));
    return [...ends].every(([partition, last]) => cursors.get(partition) === last);
  }, ALL_BOOKED_WITHIN_MS);
  if (isAllBooked) return [];
  const cursors = (await watch.lanes()).map(({ partition, cursor }) => `${partition} at ${cursor}`).join(', ');
  const wanted = [...ends].map(([partition, last]) => `${partition} at ${last}`).join(', ');
  return [`liveness: after ${ALL_BOOKED_WITHIN_MS / 1000} s of calm partitions are at ${cursors}, not ${wanted}`];
}

async function recover({ engines, visitor, disk, store }: World): Promise<void> {
  await disk.clear();
  await store.revive();
  for (const { proxy } of [...engines, visitor]) {
    await proxy.start();
    proxy.calm();
  }
}

/** Returns the last record's offset of each partition. It was sent outside of a transaction. */
async function lastOffsets({ kafka, topic }: World): Promise<Map<number, number>> {
  const admin = kafka.admin();
  await admin.connect();
  try {
    const offsets = await admin.fetchTopicOffsets(topic);
    return new Map(offsets.map(({ partition, high }) => [partition, Number(high) - 1]));
  } finally {
    await admin.disconnect();
  }
}

/** Stops engines as an operator does. Resolves with a line for each exit code that is not 0. */
export async function stopEngines({ engines }: World): Promise<string[]> {
  const codes = await Promise.all(engines.map((engine) => engine.stop()));
  return codes.flatMap((code, index) =>
    code === 0 ? [] : [`stop: ${engines[index].name} ended with ${code ?? 'a signal'} instead of 0`],
  );
}

export interface Audit {
  /** `failed`: the audit could not run. */
  result: 'holds' | 'broken' | 'failed';
  output: string;
}

/** Runs `zerorate audit --against-source`, as a user does. */
export async function audit({ config, environment }: World): Promise<Audit> {
  const command = [await builtModule('main.js'), 'audit', '--config', config, '--against-source'];
  return new Promise((resolve) => {
    const options = { env: { ...process.env, ...environment }, maxBuffer: 2 ** 28 };
    execFile(process.execPath, command, options, (error, stdout, stderr) => {
      if (error === null) resolve({ result: 'holds', output: stdout.trimEnd() });
      // Its exit code is 1 for any failure; its output names a broken invariant.
      else if (error.code === 1 && /^BROKEN/m.test(stdout)) resolve({ result: 'broken', output: stdout.trimEnd() });
      else resolve({ result: 'failed', output: `${stdout}${stderr}`.trimEnd() });
    });
  });
}
