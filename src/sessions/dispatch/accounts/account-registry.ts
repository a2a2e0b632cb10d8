import { readFileSync } from 'node:fs';
import * as z from 'zod';
import { parseCsv } from '../../../formats/csv.ts';
import { ConfigError } from '../../../platform/config/config-error.ts';
import { E164 } from '../../../rating/record/msisdn.ts';
import { accountNameFault } from '../../protocol/account-name.ts';
import { type AccountVerifier, unverified, verifiedAccount } from './account-verifier.ts';

const PSEUDONYM = /^[\da-f]{32}$/;
/** A file with more faults has its first ones listed. */
const MAX_FAULTS = 20;

const rowsSchema = z.array(
  z.strictObject({ account: z.string(), msisdn: z.string().optional(), subscriber: z.string().optional() }),
);

interface Row {
  place: string;
  account: string;
  msisdn?: string | undefined;
  subscriber?: string | undefined;
}

/** Accounts by subscriber, each subscriber as `msisdn 4917...` or as `subscriber <pseudonym>`. */
export type AccountRegistry = ReadonlyMap<string, readonly string[]>;

/** Verifies accounts by a registry of which subscriber has which account, as the operator keeps it. */
export function registryVerifier(registry: AccountRegistry): AccountVerifier {
  return {
    async verify({ msisdn, subscriber, wanted }) {
      const listed = new Set([
        ...(registry.get(`msisdn ${msisdn}`) ?? []),
        ...(registry.get(`subscriber ${subscriber}`) ?? []),
      ]);
      const [first, ...others] = wanted === undefined ? listed : [...listed].filter((account) => account === wanted);
      if (first === undefined) return unverified('the registry does not list the account for this subscriber');
      if (others.length > 0) return unverified('the subscriber has several accounts: name one as applicationAccount');
      return verifiedAccount(first);
    },
  };
}

/**
 * Reads a registry: a CSV file with a header line (`account` and `msisdn` or `subscriber`), or JSON, a list of objects of these
 * fields. Subscribers are MSISDNs in normal form or pseudonyms. Throws a ConfigError that lists what is wrong, by line
 * or element; so does an account of more subscribers than `subscribersPerAccount`.
 */
export function readAccountRegistry(file: string, subscribersPerAccount: number): AccountRegistry {
  const text = readText(file);
  const rows = file.endsWith('.json') ? jsonRows(text, file) : csvRows(text, file);
  const faults: string[] = [];
  const registry = new Map<string, string[]>();
  const subscribersOf = new Map<string, number>();
  for (const row of rows) {
    const fault = faultOf(row);
    if (fault !== null) faults.push(`${row.place}: ${fault}`);
    if (faults.length >= MAX_FAULTS) break;
    if (fault !== null) continue;
    const { account, msisdn, subscriber } = row;
    const key = msisdn === undefined ? `subscriber ${subscriber}` : `msisdn ${msisdn}`;
    const accounts = registry.get(key) ?? [];
    if (accounts.includes(account)) continue;
    registry.set(key, [...accounts, account]);
    const subscribers = (subscribersOf.get(account) ?? 0) + 1;
    subscribersOf.set(account, subscribers);
    if (subscribers > subscribersPerAccount) {
      const allowed = `subscribersPerAccount allows ${subscribersPerAccount}`;
      faults.push(`${row.place}: account ${JSON.stringify(account)} has ${subscribers} subscribers, ${allowed}`);
    }
  }
  if (faults.length > 0) throw new ConfigError(faults);
  return registry;
}

function readText(file: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(file));
  } catch (error) {
    throw new ConfigError(`${file}: cannot be read: ${(error as Error).message}`);
  }
}

function faultOf({ account, msisdn, subscriber }: Row): string | null {
  const fault = accountNameFault(account);
  if (fault !== null) return `account: ${fault}`;
  if ((msisdn === undefined) === (subscriber === undefined)) return 'expected either msisdn or subscriber';
  if (msisdn !== undefined && !E164.test(msisdn)) return 'msisdn: expected 1 to 15 digits, the country code first';
  if (subscriber !== undefined && !PSEUDONYM.test(subscriber)) return 'subscriber: expected a pseudonym, 32 hex digits';
  return null;
}

function jsonRows(text: string, file: string): Row[] {
  try {
    const rows = rowsSchema.parse(JSON.parse(text));
    return rows.map((row, at) => ({ ...row, place: `${file}: element ${at + 1}` }));
  } catch (error) {
    const why = error instanceof z.ZodError ? z.prettifyError(error) : (error as Error).message;
    throw new ConfigError(`${file}: expected a JSON list of { account, msisdn or subscriber }: ${why}`);
  }
}

function csvRows(text: string, file: string): Row[] {
  const parsed = parseCsv(text);
  if (typeof parsed === 'string') throw new ConfigError(`${file}:${parsed}`);
  const [header, ...rows] = parsed;
  const columns = header?.cells ?? [];
  const by = columns.find((name) => name === 'msisdn' || name === 'subscriber');
  if (columns.length !== 2 || !columns.includes('account') || by === undefined) {
    throw new ConfigError(`${file}:1: expected the header account,msisdn or account,subscriber`);
  }
  return rows.map(({ line, cells }): Row => {
    const place = `${file}:${line}`;
    if (cells.length !== 2) throw new ConfigError(`${place}: ${cells.length} cells, but 2 columns`);
    const row = { place, account: cells[columns.indexOf('account')] ?? '' };
    return { ...row, [by]: cells[columns.indexOf(by)] };
  });
}
