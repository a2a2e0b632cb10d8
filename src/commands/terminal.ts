import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { type Command, Option } from 'commander';
import { DEVELOPMENT_KEY_ID, readIssuerKey } from '../dispatch/development-issuer.ts';
import { ConfigError } from '../platform/config-error.ts';
import { endWhenNobodyReads } from '../platform/lifecycle.ts';
import { grouped } from '../platform/print-table.ts';
import { accountClaims, identityOf, signAccountAssertion } from '../session-protocol/account-assertion.ts';
import { CONTENT_TYPES, type ContentType } from '../session-protocol/content-octets.ts';
import { attachToGateway } from '../terminal/attach-to-gateway.ts';
import type { CallOutcome, CallRequest } from '../terminal/calls.ts';
import { type DatagramDial, directDatagrams } from '../terminal/datagrams.ts';
import { type Destination, type Dial, directDial } from '../terminal/dial.ts';
import { printable } from '../terminal/printable.ts';
import { Terminal, type TerminalOptions } from '../terminal/terminal.ts';
import type { Delivery, ReceivedMessage, TerminalEvent } from '../terminal/terminal-event.ts';

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
  listen: ContentType[];
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
    .addOption(new Option('--listen <type...>', 'what to listen for').choices(CONTENT_TYPES).default(['text']))
    .addHelpText(
      'after',
      `
Reads commands from standard input, one a line:
  text ACCOUNT WORDS...          send a text
  voice|image|video ACCOUNT FILE send a file as a message
  put TYPE URL FILE              upload to the application’s media host
  get TYPE URL                   download from it
  call voice|video HOST:PORT SECONDS   call the media host over UDP
  renew | quota | quit

Example:
  $ zerorate terminal --msisdn 15550100001 --application chatter --account alice --dispatch http://127.0.0.1:8090 \\
      --direct ws://127.0.0.1:9000/messages --gateway http://127.0.0.1:8086 --gateway-secret-file operator.secret \\
      --account-key chatter.key`,
    )
    .action(runTerminal);
}

async function runTerminal(flags: TerminalFlags): Promise<void> {
  const { dial, datagrams, identityAssertion } = await reachNetwork(flags);
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
    onEvent: (event) => print(formatEvent(event)),
    onMessage: (message) => print(formatMessage(message)),
  });
  endWhenNobodyReads(process.stdout);
  await terminal.start(flags.listen);
  for await (const line of createInterface({ input: process.stdin })) {
    const [command = '', ...words] = line.trim().split(/\s+/);
    if (command === 'quit') break;
    if (command !== '')
      print(await carryOut(terminal, command, words).catch((error: Error) => printable(error.message)));
  }
  await terminal.stop();
  print(formatOctets(terminal));
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
      return formatDelivery(await terminal.sendText(needed(first), [second, ...rest].join(' ')));
    case 'voice':
    case 'image':
    case 'video': {
      const file = needed(second);
      return formatDelivery(await terminal.send(command, needed(first), readFileSync(file), file));
    }
    case 'put': {
      const body = readFileSync(needed(rest[0]));
      return formatDelivery((await terminal.upload(new URL(needed(second)), typeOf(first), body)).delivery);
    }
    case 'get': {
      const { delivery, answer } = await terminal.download(new URL(needed(second)), typeOf(first));
      return `${formatDelivery(delivery)}, ${grouped(answer?.body.length ?? 0)} octets`;
    }
    case 'call':
      return formatCall(await terminal.call(placeOf(second), callOf(first, rest[0])));
    case 'renew':
      await terminal.renew();
      return formatStanding(terminal);
    case 'quota':
      return formatStanding(terminal);
    default:
      return `no such command: ${command} (text, voice, image, video, put, get, call, renew, quota, quit)`;
  }
}

function needed(word: string | undefined): string {
  if (word === undefined) throw new Error('a word is missing; --help shows the commands');
  return word;
}

function typeOf(word: string | undefined): ContentType {
  const type = CONTENT_TYPES.find((known) => known === word);
  if (type === undefined) throw new Error(`expected one of ${CONTENT_TYPES.join(', ')}`);
  return type;
}

function placeOf(word: string | undefined): Destination {
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

function formatDelivery(delivery: Delivery): string {
  if (delivery.via === 'proxy') return 'sent, sponsored';
  return delivery.via === 'direct'
    ? `sent, not sponsored: ${printable(delivery.reason)}`
    : `not sent: ${printable(delivery.reason)}`;
}

function formatStanding({ standing }: Terminal): string {
  const { proxyId, reason, sponsoredOctetsCap, usedSponsoredOctets, remainingOctets } = standing;
  if (proxyId === null) return `no session: ${printable(String(reason))}`;
  const remaining = remainingOctets === null ? 'no quota' : `${grouped(remainingOctets)} octets of the quota remain`;
  return `session at ${printable(proxyId)}: ${grouped(usedSponsoredOctets)} of ${grouped(sponsoredOctetsCap)} octets used, ${remaining}`;
}

export function formatEvent(event: TerminalEvent): string {
  const { type, ...fields } = event;
  const shown = Object.entries(fields).map(([name, value]) => `${name}=${printable(String(value ?? 'none'))}`);
  return `* ${type} ${shown.join(' ')}`;
}

export function formatMessage({ contentType, from, name, payload }: ReceivedMessage): string {
  if (contentType === 'text') return `${printable(from)}: ${printable(payload.toString())}`;
  return `${printable(from)}: ${contentType}${name === undefined ? '' : ` ${printable(name)}`}, ${grouped(payload.length)} octets`;
}

function formatOctets(terminal: Terminal): string {
  const lines = Object.entries(terminal.octets()).map(
    ([path, { uplinkOctets, downlinkOctets }]) =>
      `${path}: ${grouped(uplinkOctets)} octets up, ${grouped(downlinkOctets)} down`,
  );
  return lines.join('\n');
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
