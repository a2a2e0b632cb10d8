import fc from 'fast-check';
import { expect, test } from 'vitest';
import { PseudonymKey } from './subscribers.ts';

const ROOT = Buffer.alloc(32, 7);
const FRESH = Buffer.alloc(32, 8);
const WHOLE = PseudonymKey.ofRoot(ROOT);
/** Few digits, so that numbers are neighbours and one begins with another. */
const numbers = fc.oneof(
  fc.stringMatching(/^[0-2]{1,4}$/),
  fc.stringMatching(/^\d{15}$/),
  fc.stringMatching(/^\d{1,15}$/),
);

const pseudonym = (key: PseudonymKey, number: string) => key.pseudonymOf(number).toString('hex');
/** As it is read back from its file. */
const reread = (key: PseudonymKey) => new PseudonymKey(JSON.parse(JSON.stringify(key.generations)));

test('a pseudonym depends on the key and on every digit, leading zeros too', () => {
  const list = ['1', '01', '001', '10', '0', '491701234567', '49170123456', '491701234568', '000000000000000'];
  expect(new Set(list.map((number) => pseudonym(WHOLE, number))).size).toBe(list.length);
  expect(pseudonym(PseudonymKey.ofRoot(FRESH), '1')).not.toBe(pseudonym(WHOLE, '1'));
  expect(WHOLE.pseudonymOf('1')).toHaveLength(16);
});

test('whatever was looked up before, a pseudonym is the same', () => {
  fc.assert(
    fc.property(fc.array(numbers, { maxLength: 50 }), numbers, (before, number) => {
      const key = PseudonymKey.ofRoot(ROOT);
      for (const other of before) key.pseudonymOf(other);
      expect(pseudonym(key, number)).toBe(pseudonym(PseudonymKey.ofRoot(ROOT), number));
    }),
  );
});

test('who is erased has another pseudonym, and everybody else the same as before', () => {
  fc.assert(
    fc.property(fc.uniqueArray(numbers, { minLength: 1, maxLength: 8 }), fc.array(numbers), (erased, others) => {
      const key = reread(erased.reduce((key, number) => key.erased(number, FRESH), WHOLE));
      for (const number of erased) {
        expect(key.isErased(number)).toBe(true);
        expect(pseudonym(key, number)).not.toBe(pseudonym(WHOLE, number));
      }
      for (const number of others.filter((other) => !erased.includes(other))) {
        expect(key.isErased(number)).toBe(false);
        expect(pseudonym(key, number)).toBe(pseudonym(WHOLE, number));
      }
    }),
  );
});

test('no key that is left is on the way to an erased number’s leaf', () => {
  const number = '491701234567';
  const [left] = WHOLE.erased('491701234', FRESH).erased(number, FRESH).generations;
  for (const prefix of ['', ...prefixes(number)]) {
    const key = prefix === '' ? ROOT.toString('hex') : keyOnTheWay(prefix);
    expect(key).toMatch(/^[0-9a-f]{64}$/);
    expect(Object.keys(left)).not.toContain(prefix);
    expect(Object.values(left)).not.toContain(key);
  }
});

test('each life of a number has a pseudonym of its own, and none of them comes back', () => {
  let key = WHOLE;
  const lives: string[] = [];
  for (let life = 0; life < 4; life++) {
    lives.push(pseudonym(key, '1234567'));
    key = reread(key.erased('1234567', Buffer.alloc(32, 20 + life)));
  }
  expect(new Set([...lives, pseudonym(key, '1234567')]).size).toBe(5);
  expect(key.generations).toHaveLength(5);
});

test('two numbers that were erased once share the next generation', () => {
  const key = WHOLE.erased('1', FRESH).erased('2', Buffer.alloc(32, 9));
  expect(key.generations).toHaveLength(2);
  expect(pseudonym(key, '2')).toBe(pseudonym(PseudonymKey.ofRoot(FRESH), '2'));
});

const accounts = fc.stringMatching(/^[!-~]{1,12}$/);
const ofAccount = (key: PseudonymKey, accountId: string) => key.pseudonymOfAccount(accountId).toString('hex');

test('an account has a pseudonym that no number has, another for each character, and its own after numbers and other accounts were erased', () => {
  fc.assert(
    fc.property(accounts, accounts, numbers, (accountId, other, number) => {
      const own = ofAccount(WHOLE, accountId);
      expect(own).not.toBe(pseudonym(WHOLE, number));
      if (/^\d{1,15}$/.test(accountId)) expect(own).not.toBe(pseudonym(WHOLE, accountId));
      const key = reread(WHOLE.erased(number, FRESH).accountErased(other, FRESH));
      expect(pseudonym(key, number)).not.toBe(pseudonym(WHOLE, number));
      expect(key.isAccountErased(other)).toBe(true);
      expect(ofAccount(key, other)).not.toBe(ofAccount(WHOLE, other));
      if (other === accountId) return;
      expect(own).not.toBe(ofAccount(WHOLE, other));
      expect([key.isAccountErased(accountId), ofAccount(key, accountId)]).toEqual([false, own]);
    }),
  );
});

test('no key that is left is on the way to an erased account’s leaf, and a key file may have the others', () => {
  const before = WHOLE.accountErased('B-18', FRESH).generations[0];
  const [left] = new PseudonymKey([before, { '': FRESH.toString('hex') }]).accountErased('B-17', FRESH).generations;
  expect(ofAccount(new PseudonymKey([left, { '': FRESH.toString('hex') }]), 'B-17')).toBe(
    ofAccount(PseudonymKey.ofRoot(FRESH), 'B-17'),
  );
  expect(Object.keys(left)).not.toContain('.');
  for (const prefix of Object.keys(left)) expect(prefix).toMatch(/^(\d{0,15}\.?|\.\d{0,14}\.?)$/);
});

/** The digits that a number begins with, the whole number, and its leaf. */
function* prefixes(number: string): Generator<string> {
  for (let length = 1; length <= number.length; length++) yield number.slice(0, length);
  yield `${number}.`;
}

/** A key as it was: the one beside its sibling that is left when the sibling is erased. */
function keyOnTheWay(prefix: string): string {
  const beside = prefix.endsWith('.') ? `${prefix.slice(0, -1)}0` : siblingOf(prefix);
  return WHOLE.erased(beside, FRESH).generations[0][prefix];
}

function siblingOf(prefix: string): string {
  return `${prefix.slice(0, -1)}${prefix.endsWith('9') ? '8' : '9'}`;
}
