import type { KeyObject } from 'node:crypto';
import { isIP } from 'node:net';
import { type Command, InvalidArgumentError } from 'commander';
import { systemClock } from '../../platform/clock.ts';
import { ConfigError } from '../../platform/config/config-error.ts';
import { E164 } from '../../rating/record/msisdn.ts';
import { DEVELOPMENT_KEY_ID, developmentIssuerKey } from '../../sessions/dispatch/accounts/development-issuer.ts';
import { accountClaims, identityOf, signAccountAssertion } from '../../sessions/protocol/account-assertion.ts';
import { accountNameFault } from '../../sessions/protocol/account-name.ts';
import {
  ASSERTION_LIFE_SECONDS,
  identityClaims,
  signIdentityAssertion,
} from '../../sessions/protocol/identity-assertion.ts';

interface AssertionOptions {
  key: string;
  issuer: string;
  seconds: number;
  msisdn?: string;
  terminalIp?: string;
  application?: string;
  account?: string;
  identityAssertion?: string;
}

export function registerAssertion(program: Command): void {
  program
    .command('assertion')
    .description(
      'print an identity assertion as an operator issues it, or an account assertion as a sponsor does, for development',
    )
    .requiredOption(
      '--key <file>',
      'Ed25519 key of the operator or the sponsor; made, with <file>.jwks.json, where there is none',
    )
    .option('--msisdn <digits>', 'identity assertion: the number of the terminal', msisdn)
    .option('--terminal-ip <address>', 'identity assertion: the address of the terminal', address)
    .option('--application <id>', 'account assertion: the application, as the catalogue names it')
    .option('--account <name>', 'account assertion: the account', account)
    .option('--identity-assertion <jwt>', 'account assertion: the identity assertion that it is bound to')
    .option(
      '--issuer <name>',
      'the operator, as dispatch.yaml names it, or accountKeys.issuer of the catalogue',
      'development',
    )
    .option(
      '--seconds <number>',
      `how long it holds; at most ${ASSERTION_LIFE_SECONDS}`,
      lifeSeconds,
      ASSERTION_LIFE_SECONDS,
    )
    .addHelpText(
      'after',
      `
Examples:
  $ zerorate assertion --msisdn 491701234567 --terminal-ip 127.0.0.1 --key operator.key > identity.jwt
  $ zerorate assertion --application parley --account alice --identity-assertion "$(cat identity.jwt)" --key parley.key

The second one is for an application whose accounts are proven by assertions (account.way: assertion in dispatch.yaml, and accountKeys in the
catalogue); those of fixtures/demo are proven by a registry and need none.

Each is accepted once, and an account assertion only together with the identity assertion that it is bound to.`,
    )
    .action(async (options: AssertionOptions) => {
      const assertion = assertionOf(options);
      const { key: privateKey, isNew } = await developmentIssuerKey(options.key);
      if (isNew) {
        process.stderr.write(
          `made ${options.key}, and its public half in ${options.key}.jwks.json; for development only\n`,
        );
      }
      process.stdout.write(`${await assertion({ keyId: DEVELOPMENT_KEY_ID, privateKey })}\n`);
    });
}

/** What signs the assertion that the options ask for. Throws a ConfigError when they fit neither kind. */
function assertionOf(options: AssertionOptions): (by: { keyId: string; privateKey: KeyObject }) => Promise<string> {
  const { issuer, seconds, msisdn, terminalIp, application, account, identityAssertion } = options;
  const nowMs = systemClock.nowMs();
  const isOfAccount = [application, account, identityAssertion].some((given) => given !== undefined);
  if (!isOfAccount && msisdn !== undefined && terminalIp !== undefined) {
    return (by) => signIdentityAssertion(identityClaims({ issuer, msisdn, terminalIp }, nowMs, seconds), by);
  }
  if (msisdn !== undefined || terminalIp !== undefined) throw new ConfigError(WHICH);
  if (application === undefined || account === undefined || identityAssertion === undefined)
    throw new ConfigError(WHICH);
  const identity = boundTo(identityAssertion);
  const claims = accountClaims({ issuer, applicationId: application, account, identity }, nowMs, seconds);
  return (by) => signAccountAssertion(claims, by);
}

function boundTo(identityAssertion: string) {
  try {
    return identityOf(identityAssertion);
  } catch (error) {
    throw new ConfigError(`--identity-assertion: ${(error as Error).message}`);
  }
}

const WHICH =
  'which assertion? An identity assertion needs --msisdn and --terminal-ip; an account assertion needs --application, --account and ' +
  '--identity-assertion, and neither of the former';

function msisdn(text: string): string {
  if (!E164.test(text))
    throw new InvalidArgumentError('Expected 1 to 15 digits, the country code first, without + or 00.');
  return text;
}

function address(text: string): string {
  if (isIP(text) === 0) throw new InvalidArgumentError('Expected an IPv4 or IPv6 address.');
  return text;
}

function account(text: string): string {
  const fault = accountNameFault(text);
  if (fault !== null) throw new InvalidArgumentError(`Expected an account: ${fault}.`);
  return text;
}

function lifeSeconds(text: string): number {
  const seconds = /^[1-9]\d{0,7}$/.test(text) ? Number(text) : 0;
  if (seconds < 1 || seconds > ASSERTION_LIFE_SECONDS) {
    throw new InvalidArgumentError(
      `Expected a whole number of seconds, at most ${ASSERTION_LIFE_SECONDS}: a dispatch server refuses an assertion that holds longer.`,
    );
  }
  return seconds;
}
