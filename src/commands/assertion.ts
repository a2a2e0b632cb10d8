import { isIP } from 'node:net';
import { type Command, InvalidArgumentError } from 'commander';
import { E164 } from '../billing/msisdn.ts';
import { DEVELOPMENT_KEY_ID, developmentIssuerKey } from '../dispatch/development-issuer.ts';
import { systemClock } from '../platform/clock.ts';
import { identityClaims, signIdentityAssertion } from '../session-protocol/identity-assertion.ts';

interface AssertionOptions {
  msisdn: string;
  terminalIp: string;
  key: string;
  issuer: string;
  seconds: number;
}

export function registerAssertion(program: Command): void {
  program
    .command('assertion')
    .description('print an identity assertion as an operator would issue it, for development')
    .requiredOption('--msisdn <digits>', 'who the terminal is', msisdn)
    .requiredOption('--terminal-ip <address>', 'the terminal’s address', address)
    .requiredOption('--key <file>', 'the operator’s Ed25519 key; made, with <file>.jwks.json, where there is none')
    .option('--issuer <name>', 'the operator, as dispatch.yaml names it', 'development')
    .option('--seconds <number>', 'how long it holds; a dispatch server takes at most 3600', wholeSeconds, 3600)
    .addHelpText(
      'after',
      `
Example:
  $ zerorate assertion --msisdn 491701234567 --terminal-ip 127.0.0.1 --key operator.key`,
    )
    .action(async ({ msisdn, terminalIp, key: path, issuer, seconds }: AssertionOptions) => {
      const { key: privateKey, isNew } = await developmentIssuerKey(path);
      if (isNew) process.stderr.write(`made ${path}, and its public half in ${path}.jwks.json; for development only\n`);
      const claims = identityClaims({ issuer, msisdn, terminalIp }, systemClock.nowMs(), seconds);
      process.stdout.write(`${await signIdentityAssertion(claims, { keyId: DEVELOPMENT_KEY_ID, privateKey })}\n`);
    });
}

function msisdn(text: string): string {
  if (!E164.test(text))
    throw new InvalidArgumentError('Expected 1 to 15 digits, the country code first, without + or 00.');
  return text;
}

function address(text: string): string {
  if (isIP(text) === 0) throw new InvalidArgumentError('Expected an IPv4 or IPv6 address.');
  return text;
}

function wholeSeconds(text: string): number {
  if (!/^[1-9]\d{0,7}$/.test(text)) throw new InvalidArgumentError('Expected a whole number of seconds.');
  return Number(text);
}
