import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { readAccountRegistry, registryVerifier } from './account-registry.ts';

const folder = mkdtempSync(join(tmpdir(), 'zerorate-accounts-'));
afterAll(() => rmSync(folder, { recursive: true }));

const SUBSCRIBER = 'ab'.repeat(16);

function written(name: string, text: string | Uint8Array): string {
  const file = join(folder, name);
  writeFileSync(file, text);
  return file;
}

async function accountOf(file: string, msisdn: string, wanted?: string, subscriber = '0'.repeat(32)) {
  const verifier = registryVerifier(readAccountRegistry(file, 2));
  const claim = { applicationId: 'chat', msisdn, subscriber, identity: { iss: 'o', jti: '1' }, wanted };
  const verdict = await verifier.verify(claim, 0);
  return verdict.refusal ?? verdict.account;
}

test.each([
  ['accounts.csv', 'account,msisdn\nalice,491\n"bob, jr",492\ncarol,491\n'],
  ['turned.csv', 'msisdn,account\r\n491,alice\r\n492,"bob, jr"\r\n491,carol'],
  [
    'accounts.json',
    JSON.stringify([
      { account: 'alice', msisdn: '491' },
      { account: 'bob, jr', msisdn: '492' },
      { account: 'carol', msisdn: '491' },
    ]),
  ],
])('%s says whose an account is', async (name, text) => {
  const file = written(name, text);
  expect(await accountOf(file, '492')).toBe('bob, jr');
  expect(await accountOf(file, '491', 'carol')).toBe('carol');
  expect(await accountOf(file, '492', 'alice')).toBe('account_unverified');
  expect(await accountOf(file, '493')).toBe('account_unverified');
  expect(await accountOf(file, '493', 'alice')).toBe('account_unverified');
  // Two accounts, and none of them named.
  expect(await accountOf(file, '491')).toBe('account_unverified');
});

test('subscribers may be pseudonyms', async () => {
  const file = written('pseudonyms.csv', `account,subscriber\nalice,${SUBSCRIBER}\n`);
  expect(await accountOf(file, '491', undefined, SUBSCRIBER)).toBe('alice');
  expect(await accountOf(file, '491')).toBe('account_unverified');
});

test.each<[string, string, string | Uint8Array, RegExp]>([
  ['an empty file', 'empty.csv', '', /expected the header/],
  ['another header', 'header.csv', 'name,number\n', /:1: expected the header account,msisdn/],
  ['a number with a plus', 'plus.csv', 'account,msisdn\nalice,491\nbob,+492\n', /plus\.csv:3: msisdn/],
  ['a number with zeros', 'zeros.csv', 'account,msisdn\nalice,00491\n', /zeros\.csv:2: msisdn/],
  ['a cell too few', 'cells.csv', 'account,msisdn\nalice\n', /cells\.csv:2: 1 cells/],
  ['a quote out of place', 'quote.csv', 'account,msisdn\n"alice"x,491\n', /quote\.csv:2: a quote/],
  ['an invisible character', 'unseen.csv', 'account,msisdn\nali\u200bce,491\n', /unseen\.csv:2: account: /],
  [
    'two spellings of a name',
    'nfd.csv',
    'account,msisdn\nam\u00e9lie,491\name\u0301lie,492\n',
    /nfd\.csv:3: account: .*NFKC/,
  ],
  ['no UTF-8', 'latin1.csv', Buffer.from('account,msisdn\nam\u00e9lie,491\n', 'latin1'), /latin1\.csv: cannot be read/],
  ['too many subscribers', 'many.csv', 'account,msisdn\nalice,491\nalice,492\nalice,493\n', /many\.csv:4: .*allows 2/],
  ['no JSON', 'no.json', '{', /no\.json: expected a JSON list/],
  [
    'both identities',
    'both.json',
    JSON.stringify([{ account: 'a', msisdn: '1', subscriber: SUBSCRIBER }]),
    /element 1: either|expected either/,
  ],
  [
    'another field',
    'field.json',
    JSON.stringify([{ account: 'a', msisdn: '1', note: '' }]),
    /field\.json: expected a JSON list/,
  ],
])('refused with its place: %s', (_, name, text, fault) => {
  expect(() => readAccountRegistry(written(name, text), 2)).toThrow(fault);
});

test('refused when it is not there', () => {
  expect(() => readAccountRegistry(join(folder, 'missing.csv'), 1)).toThrow(/missing\.csv: cannot be read/);
});
