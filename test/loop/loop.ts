import { execFile } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { Cleanups } from '../../src/platform/cleanups.ts';
import { becomesTrue } from '../chaos/wait.ts';
import { builtModule } from '../servers/built.ts';
import { callDifferences, formatCallTotals, gatherCallTotals } from './call-totals.ts';
import { attachCrowd, letThemTalk, type Member } from './crowd.ts';
import { formatTotals, LiveTable } from './live-table.ts';
import { countBooked, countMessages, differences, gatherTotals, unidentified } from './loop-totals.ts';
import { type LoopWorld, startLoopWorld } from './loop-world.ts';

const SHOWN_LINES = 20;
const ALL_BOOKED_WITHIN_MS = 120_000;

export interface LoopOptions {
  terminals?: number;
  seed?: number;
  short?: boolean;
  keep?: boolean;
  /** Called while terminals talk: what a test breaks. */
  meanwhile?: (world: LoopWorld) => Promise<void>;
  /** So many octets may have been under way when something broke. */
  inFlightOctets?: number;
  print?: (text: string) => void;
}

/** The whole loop. Resolves with what differs; nothing when every count is the same. */
export async function runLoop(options: LoopOptions): Promise<string[]> {
  const { seed = randomInt(2 ** 31), short = false, terminals = short ? 20 : 200, meanwhile } = options;
  const print = options.print ?? ((text: string) => process.stdout.write(`${text}\n`));
  const endings = new Cleanups();
  const forget = endOnSignal(endings);
  let keep = options.keep === true;
  try {
    print(`seed ${seed}, ${terminals} terminals`);
    const world = await startLoopWorld(endings);
    print(`logs in ${world.folder}`);
    const members = await attachCrowd(world, terminals);
    const table = new LiveTable(world, members, print);
    table.start();
    await Promise.all([letThemTalk(world, members, seed), meanwhile?.(world)]).finally(() => table.stop());
    const { found, atGateway } = await settle(world, members);
    const totals = await gatherTotals(world, members);
    found.push(...differences(totals, options.inFlightOctets));
    if (meanwhile === undefined) found.push(...unidentified(totals));
    print(`\n${formatTotals(totals, members)}`);
    const calls = await gatherCallTotals(world, members);
    found.push(...callDifferences(calls, options.inFlightOctets));
    print(`\n${formatCallTotals(calls)}`);
    print(`\n${atGateway}`);
    print(`\nreconcile, proxies' reports beside charges:\n${await reconciled(world)}`);
    await world.dispatch.stop();
    await world.engine.stop();
    keep ||= found.length > 0;
    return found;
  } catch (error) {
    keep = true;
    throw error;
  } finally {
    forget();
    await endings.run(keep);
  }
}

/** Ends it in the order in which octets travel, so that the next program has received everything. */
async function settle(world: LoopWorld, members: readonly Member[]): Promise<{ found: string[]; atGateway: string }> {
  await Promise.all(members.map(({ terminal }) => terminal.stop()));
  const codes = await Promise.all(world.proxies.map((proxy) => proxy.stop()));
  const atGateway = await describeIdentification(world);
  codes.push(await world.gateway.stop());
  const sent = await countMessages(world.kafka);
  const isBooked = await becomesTrue(async () => (await countBooked(world)) === sent, ALL_BOOKED_WITHIN_MS);
  const found = codes.flatMap((code) =>
    code === 0 ? [] : [`a proxy or the gateway ended with ${code ?? 'a signal'}`],
  );
  if (!isBooked) found.push(`the engine booked ${await countBooked(world)} of ${sent} records in time`);
  return { found, atGateway };
}

/** What became of all session tags and marks, as the gateway counts it: a connection that it left untagged has its cause here. */
async function describeIdentification({ gatewayUrl, files }: LoopWorld): Promise<string> {
  const headers = { authorization: `Bearer ${files.operatorSecret}` };
  const text = await (await fetch(`${gatewayUrl}/metrics`, { headers })).text();
  const counts = [...text.matchAll(/^zerorate_gateway_terminal_tags_total\{outcome="(\w+)"\} ([1-9]\d*)$/gm)];
  const [, unknown] = /^zerorate_gateway_unknown_flow_marks_total (\d+)$/m.exec(text) ?? [];
  const outcomes = counts.map(([, outcome, count]) => `${outcome} ${count}`).join(', ');
  return `session tags at the gateway: ${outcomes}; marks of flows that were over: ${unknown}`;
}

/**
 * What `zerorate reconcile` prints, as an operator runs it. It may rightly find differences: what a suspended sponsor's sessions used
 * is reported and not charged.
 */
async function reconciled({ files, dispatchUrl }: LoopWorld): Promise<string> {
  const range = ['--from', '2020-01-01T00:00:00Z', '--to', '2100-01-01T00:00:00Z'];
  const command = ['reconcile', '--reports', dispatchUrl, '--config', files.engine, ...range];
  const env = { ...process.env, ...files.environment, ZERORATE_OPERATOR_SECRET: files.operatorSecret };
  const program = await builtModule('main.js');
  return new Promise((resolve) => {
    execFile(process.execPath, [program, ...command], { env, maxBuffer: 2 ** 26 }, (_error, stdout, stderr) => {
      const lines = `${stdout}${stderr}`.trimEnd().split('\n');
      const more = lines.length > SHOWN_LINES ? `\n(${lines.length - SHOWN_LINES} lines more)` : '';
      resolve(lines.slice(0, SHOWN_LINES).join('\n') + more);
    });
  });
}

/** An interrupt leaves no process behind. */
function endOnSignal(endings: Cleanups): () => void {
  const handle = (signal: NodeJS.Signals) => {
    void endings.run(false).finally(() => process.exit(signal === 'SIGINT' ? 130 : 143));
  };
  process.once('SIGINT', handle);
  process.once('SIGTERM', handle);
  return () => {
    process.off('SIGINT', handle);
    process.off('SIGTERM', handle);
  };
}
