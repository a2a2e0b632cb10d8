import { readFileSync } from 'node:fs';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { IANAZone } from 'luxon';
import { ConfigError } from '../../platform/config/config-error.ts';
import { endOnClosedPipe } from '../../platform/lifecycle.ts';
import { formatTable, grouped } from '../../platform/telemetry/terminal-output.ts';
import { DEVELOPMENT_KEY_ID, readIssuerKey } from '../../sessions/dispatch/accounts/development-issuer.ts';
import { accountClaims, identityOf, signAccountAssertion } from '../../sessions/protocol/account-assertion.ts';
import { SESSION_CONTENT_TYPES, type SessionContentType } from '../../sessions/protocol/content-octets.ts';
import { attachToGateway } from '../../sessions/terminal/attach-to-gateway.ts';
import type { CallOutcome, CallRequest } from '../../sessions/terminal/calls.ts';
import { type DatagramDial, directDatagrams } from '../../sessions/terminal/datagrams.ts';
import {
  describeDelivery,
  describeEvent,
  describeMessage,
  describeOctets,
  describeStatus,
} from '../../sessions/terminal/describe.ts';
import { printable } from '../../sessions/terminal/printable.ts';
import { readStatistics, writeStatistics } from '../../sessions/terminal/statistics-file.ts';
import { Terminal, type TerminalOptions } from '../../sessions/terminal/terminal.ts';
import { type Dial, directDial, type TerminalDestination } from '../../sessions/terminal/terminal-dial.ts';
import type { StatisticsRow, TerminalPeriod } from '../../sessions/terminal/usage-statistics.ts';
import { TerminalInput } from './terminal-input.ts';

const SAVE_INTERVAL_MS = 60_000;
const MINUTE_MS = 60_000;

const MAX_CALL_MS = 3_600_000;
/** It is used at once. */
const ACCOUNT_ASSERTION_SECONDS = 60;

interface TerminalFlags {
  msisdn: string;
  application: string;
  account: string;
  dispatch: string;
  direct: string;
  region?: string;
  assertion?: string;
  accountAssertion?: string;
  accountKey?: string;
  accountIssuer: string;
  gateway?: string;
  gatewaySecretFile?: string;
  listen: SessionContentType[];
  period: TerminalPeriod;
  timeZone: string;
  statisticsFile?: string;
  idleAnswer?: 'ask' | 'still-here' | 'leave';
}

export function registerTerminal(program: Command): void {
  program
    .command('terminal')
    .description(
      'run a reference client of an application: its traffic goes through the sponsor’s proxy while there is a session',
    )
    .requiredOption('--msisdn <digits>', 'the subscriber’s number')
    .requiredOption('--application <id>', 'the application, as the catalogue names it')
    .requiredOption('--account <name>', 'who the subscriber is in the application')
    .requiredOption('--dispatch <url>', 'the dispatch server')
    .requiredOption('--direct <url>', 'the application’s message server (ws://), for when there is no session')
    .option('--region <name>', 'where the proxy should be')
    .option('--assertion <jwt>', 'the operator’s identity assertion, where there is no gateway to give it')
    .option('--account-assertion <jwt>', 'the sponsor’s assertion of the account, bound to the one of --assertion')
    .option('--account-key <file>', 'for development: signs account assertions itself, with the sponsor’s key')
    .option('--account-issuer <name>', 'for --account-key: accountKeys.issuer of the catalogue', 'development')
    .option(
      '--gateway <url>',
      'a gateway simulator’s control interface: everything goes through it, from a bearer of its own',
    )
    .option('--gateway-secret-file <file>', 'file of the secret that bearers are made with')
    .addOption(new Option('--listen <type...>', 'what to listen for').choices(SESSION_CONTENT_TYPES).default(['text']))
    .option(
      '--period <period>',
      'what statistics are summed up by: day, week, month, or a length such as 15m or 6h',
      statisticsPeriod,
      'day' as const,
    )
    .option('--time-zone <name>', 'of days, weeks and months', timeZone, 'UTC')
    .option('--statistics-file <file>', 'keeps the statistics over restarts; of one terminal at a time')
    .addOption(
      new Option(
        '--idle-answer <answer>',
        'to the proxy’s question whether the user is still there: ask the person, or always the same (default: ask at a terminal, else still-here)',
      ).choices(['ask', 'still-here', 'leave']),
    )
    .addHelpText(
      'after',
      `
Reads commands from standard input, one a line:
  text ACCOUNT WORDS...          send a text
  voice|image|video ACCOUNT FILE send a file as a message
  put TYPE URL FILE              upload to the application’s media host
  get TYPE URL                   download from it
  call voice|video HOST:PORT SECONDS   call a host of the application over UDP
  quota                          session, and what is left of the quota
  statistics                     octets by period, content type and payer
  renew                          ask for more time and octets
  quit                           end the session and print the statistics

An idle prompt that is not answered ends the session; sending something starts another.

Example, where a registry proves the account (fixtures/demo/dispatch.yaml):
  $ zerorate terminal --msisdn 15550100001 --application chatter --account alice --dispatch http://127.0.0.1:8090 \\
      --direct ws://127.0.0.1:9000/messages --gateway http://127.0.0.1:8086 --gateway-secret-file operator.secret

Where the sponsor's assertion proves it (account.way: assertion), add --account-assertion, or for development --account-key.`,
    )
    .action(runTerminal);
}

async function runTerminal(flags: TerminalFlags): Promise<void> {
  const { dial, datagrams, identityAssertion } = await reachNetwork(flags);
  const input = new TerminalInput(process.stdin, print);
  const rows = flags.statisticsFile === undefined ? [] : await readStatistics(flags.statisticsFile);
  const terminal = new Terminal({
    msisdn: flags.msisdn,
    identityAssertion,
    ...accountProof(flags),
    applicationId: flags.application,
    applicationAccount: flags.account,
    ...(flags.region !== undefined && { region: flags.region }),
    dispatchUrl: flags.dispatch,
    directRelayUrl: flags.direct,
    dial,
    datagrams,
    onEvent: (event) => print(`* ${describeEvent(event)}`),
    onMessage: (message) => print(describeMessage(message)),
    isStillHere: idleAnswer(flags, input),
    statistics: { period: flags.period, timeZone: flags.timeZone, rows },
  });
  endOnClosedPipe(process.stdout);
  await terminal.start(flags.listen);
  const save = async () => flags.statisticsFile && writeStatistics(flags.statisticsFile, terminal.statistics());
  const saving = setInterval(() => void save().catch((error: Error) => print(error.message)), SAVE_INTERVAL_MS);
  for await (const line of input.commands()) {
    const [command = '', ...words] = line.split(/\s+/);
    if (command === 'quit') break;
    print(await carryOut(terminal, command, words).catch((error: Error) => printable(error.message)));
  }
  input.close();
  clearInterval(saving);
  await terminal.stop();
  await save();
  print(`${formatOctets(terminal)}\n\n${formatStatistics(terminal.statistics())}`);
}

function idleAnswer(
  { idleAnswer = process.stdin.isTTY ? 'ask' : 'still-here' }: TerminalFlags,
  input: TerminalInput,
): (closesInMs: number) => boolean | Promise<boolean> {
  if (idleAnswer === 'ask') return (closesInMs) => input.askStillHere(closesInMs);
  return () => idleAnswer === 'still-here';
}

/** Through a gateway's bearer, or straight from this machine's address with a given assertion. */
async function reachNetwork(
  flags: TerminalFlags,
): Promise<{ dial: Dial; datagrams: DatagramDial; identityAssertion: () => Promise<string> }> {
  const { gateway, gatewaySecretFile, assertion, msisdn } = flags;
  if (gateway !== undefined) {
    if (gatewaySecretFile === undefined) throw new ConfigError('--gateway needs --gateway-secret-file FILE');
    return attachToGateway({ controlUrl: gateway, secret: readFileSync(gatewaySecretFile, 'utf8').trim(), msisdn });
  }
  if (assertion === undefined) throw new ConfigError('who is this? Give --assertion JWT, or --gateway URL');
  return { dial: directDial, datagrams: directDatagrams, identityAssertion: async () => assertion };
}

/** How the account is proven: by an assertion that was given, by one that is signed here, or in another way of the dispatch server. */
function accountProof(flags: TerminalFlags): Pick<TerminalOptions, 'accountAssertion'> {
  const { accountAssertion: given, accountKey, accountIssuer: issuer, application: applicationId, account } = flags;
  if (given !== undefined && accountKey !== undefined) {
    throw new ConfigError('name either --account-assertion or --account-key');
  }
  if (given !== undefined) return { accountAssertion: async () => given };
  if (accountKey === undefined) return {};
  const by = { keyId: DEVELOPMENT_KEY_ID, privateKey: readIssuerKey(accountKey) };
  return {
    accountAssertion(identityAssertion) {
      const identity = identityOf(identityAssertion);
      const statement = { issuer, applicationId, account, identity };
      return signAccountAssertion(accountClaims(statement, Date.now(), ACCOUNT_ASSERTION_SECONDS), by);
    },
  };
}

async function carryOut(terminal: Terminal, command: string, [first, second, ...rest]: string[]): Promise<string> {
  switch (command) {
    case 'text':
      return describeDelivery(await terminal.sendText(needed(first), [second, ...rest].join(' ')));
    case 'voice':
    case 'image':
    case 'video': {
      const file = needed(second);
      return describeDelivery(await terminal.send(command, needed(first), readFileSync(file), file));
    }
    case 'put': {
      const body = readFileSync(needed(rest[0]));
      return describeDelivery((await terminal.upload(new URL(needed(second)), typeOf(first), body)).delivery);
    }
    case 'get': {
      const { delivery, answer } = await terminal.download(new URL(needed(second)), typeOf(first));
      return `${describeDelivery(delivery)}, ${describeOctets(answer?.body.length ?? 0)} received`;
    }
    case 'call':
      return formatCall(await terminal.call(placeOf(second), callOf(first, rest[0])));
    case 'renew':
      await terminal.renew();
      return describeStatus(terminal.status);
    case 'quota':
      return describeStatus(terminal.status);
    case 'statistics':
      return formatStatistics(terminal.statistics());
    default:
      return `no such command: ${command} (text, voice, image, video, put, get, call, quota, statistics, renew, quit)`;
  }
}

function needed(word: string | undefined): string {
  if (word === undefined) throw new Error('a word is missing; --help shows the commands');
  return word;
}

function typeOf(word: string | undefined): SessionContentType {
  const type = SESSION_CONTENT_TYPES.find((known) => known === word);
  if (type === undefined) throw new Error(`expected one of ${SESSION_CONTENT_TYPES.join(', ')}`);
  return type;
}

function placeOf(word: string | undefined): TerminalDestination {
  const { hostname, port } = new URL(`udp://${needed(word)}`);
  if (port === '') throw new Error('expected HOST:PORT');
  return { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port) };
}

function callOf(type: string | undefined, seconds: string | undefined): CallRequest {
  if (type !== 'voice' && type !== 'video') throw new Error('expected one of voice, video');
  const durationMs = Number(needed(seconds)) * 1000;
  if (!(durationMs > 0 && durationMs <= MAX_CALL_MS)) throw new Error('expected a number of seconds, an hour at most');
  return { contentType: type, durationMs };
}

function formatCall({ delivery, proxy, direct }: CallOutcome): string {
  const counts = [proxy, direct].map(
    ({ sentDatagrams, receivedDatagrams }) =>
      `${grouped(sentDatagrams)} datagrams sent, ${grouped(receivedDatagrams)} received`,
  );
  const way =
    delivery.via === 'proxy'
      ? 'call sponsored'
      : delivery.via === 'direct'
        ? `call not sponsored to its end: ${printable(delivery.reason)}`
        : `no call: ${printable(delivery.reason)}`;
  return `${way}; through the proxy ${counts[0]}; direct ${counts[1]}`;
}

const PATH_NAMES = { control: 'to the dispatch server', proxy: 'by the proxy', direct: 'direct' } as const;

function formatOctets(terminal: Terminal): string {
  const paths = Object.entries(terminal.octets()).map(([path, octets]) => ({
    name: PATH_NAMES[path as keyof typeof PATH_NAMES] ?? path,
    ...octets,
  }));
  return formatTable(paths, [
    { title: 'way', cell: ({ name }) => name },
    { title: 'octets up', cell: ({ uplinkOctets }) => grouped(uplinkOctets), right: true },
    { title: 'octets down', cell: ({ downlinkOctets }) => grouped(downlinkOctets), right: true },
  ]);
}

/** By period, application and content type: what the sponsor pays for, and what the subscriber does. */
export function formatStatistics(rows: readonly StatisticsRow[]): string {
  if (rows.length === 0) return 'no octets yet';
  const minute = (timeMs: number) => new Date(timeMs).toISOString().slice(0, 16);
  return formatTable(rows, [
    { title: 'period (UTC)', cell: (row) => `${minute(row.periodStartMs)} to ${minute(row.periodEndMs)}` },
    { title: 'application', cell: ({ applicationId }) => applicationId },
    { title: 'content', cell: ({ contentType }) => (contentType === 'control' ? 'dispatch server' : contentType) },
    { title: "sponsor's octets", cell: ({ sponsoredOctets }) => grouped(sponsoredOctets), right: true },
    { title: "subscriber's octets", cell: ({ subscriberOctets }) => grouped(subscriberOctets), right: true },
  ]);
}

function statisticsPeriod(text: string): TerminalPeriod {
  if (text === 'day' || text === 'week' || text === 'month') return text;
  const [, count, unit] = /^([1-9]\d{0,3})([mh])$/.exec(text) ?? [];
  if (count === undefined) throw new InvalidArgumentError('Expected day, week, month, or a length such as 15m or 6h.');
  return { lengthMs: Number(count) * MINUTE_MS * (unit === 'h' ? 60 : 1) };
}

function timeZone(name: string): string {
  if (!IANAZone.isValidZone(name)) throw new InvalidArgumentError('Expected a time zone such as Europe/Berlin or UTC.');
  return name;
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
