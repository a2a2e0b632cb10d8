import { chmodSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { packagePath } from '../../src/platform/package-paths.ts';
import { type Finished, Zerorate } from './zerorate.fixture.ts';

const STORE = ['--store', 'store'];
const LUMEN = ['--sponsor', 'lumen', '--month', '2026-03', ...STORE];
const SIGNED = ['statement.json', 'rows.csv', '--keys', 'operator-keys.json'];

let zerorate: Zerorate;

beforeAll(async () => {
  zerorate = await Zerorate.build();
  const span = ['--from', '2026-03-01T00:00:00Z', '--to', '2026-03-31T00:00:00Z'];
  await done(['generate', '--out', 'march.ndjson', '--records', '500', '--seed', '8', ...span]);
  await done(['run', '--catalogue', packagePath('fixtures/demo/catalogue.yaml'), '--source', 'march.ndjson', ...STORE]);
  await done(['signing-key', 'create', '--key', 'key.json']);
  await done(['signing-key', 'show', '--key', 'key.json', '--out', 'operator-keys.json']);
  await done(['close', ...LUMEN, '--who', 'Ada', '--out', 'statement.json', '--signing-key', 'key.json']);
  await done(['statement', ...LUMEN, '--out', 'unsigned.json', '--rows', 'rows.csv']);
});
afterAll(() => zerorate?.remove());

async function done(args: readonly string[], env: Record<string, string> = {}): Promise<Finished> {
  const finished = await zerorate.run(args, { env });
  expect(finished.code, finished.stdout + finished.stderr).toBe(0);
  return finished;
}

const read = (name: string) => readFileSync(zerorate.path(name), 'utf8');
const write = (name: string, content: string | Uint8Array) => writeFileSync(zerorate.path(name), content);
const verify = (...args: string[]) => zerorate.run(['verify', ...args]);
const keyIds = (name: string) => JSON.parse(read(name)).keys.map(({ kid }: { kid: string }) => kid);

test('a key file is for its owner only, and the public key set holds nothing private', () => {
  expect(statSync(zerorate.path('key.json')).mode & 0o777).toBe(0o600);
  const [key] = JSON.parse(read('operator-keys.json')).keys;
  expect(Object.keys(key).toSorted()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x']);
});

test('what close signed is what statement writes, and the public key set verifies it', async () => {
  expect(read('statement.json')).toBe(read('unsigned.json'));
  expect(existsSync(zerorate.path('unsigned.json.jws'))).toBe(false);
  const { stdout } = await done(['verify', ...SIGNED]);
  expect(stdout).toMatch(/^holds {3}statement\.json: lumen, 2026-03: /m);
  expect(stdout).toMatch(new RegExp(`^signed {2}statement\\.json: by key ${keyIds('operator-keys.json')[0]}$`, 'm'));
  expect(stdout).toMatch(/^only signed: sponsor\.name \(/m);
  expect(stdout).toMatch(/^not proven: that the rows are all that was rated/m);
  expect(stdout).not.toMatch(/who issued/);
});

test('without the key set, and in JSON, it says what is not proven', async () => {
  const { stdout } = await done(['verify', 'statement.json', 'rows.csv']);
  expect(stdout).toMatch(/^not proven: sponsor\.name \(/m);
  expect(stdout).toMatch(
    /^not proven: who issued the statement \(statement\.json\.jws was not checked; name .*--keys FILE\)$/m,
  );
  const result = JSON.parse((await done(['verify', 'statement.json', 'rows.csv', '--format', 'json'])).stdout);
  expect(result).toMatchObject({ holds: true, faults: [], signedBy: null, onlySigned: [] });
  expect(result.notProven.map(({ field }: { field: string }) => field)).toContain('totals.openingMicros');
  expect(result.recomputed).toContain('totals.closingMicros');
  const signed = JSON.parse((await done(['verify', ...SIGNED, '--format', 'json'])).stdout);
  expect(signed.signedBy).toBe(keyIds('operator-keys.json')[0]);
  expect(signed.onlySigned.length).toBeGreaterThan(10);
});

test('a statement of an open month holds, and is named as such', async () => {
  const april = ['--sponsor', 'lumen', '--month', '2026-04', '--out', 'open.json', '--rows', 'open.csv'];
  await done(['statement', ...april, '--signing-key', 'key.json', ...STORE]);
  const { stdout } = await done(['verify', 'open.json', 'open.csv', '--keys', 'operator-keys.json']);
  expect(stdout).toMatch(/^note {4}open\.json: 2026-04 was open when it was written/m);
  expect(stdout).toMatch(
    /^only signed: .*sponsor\.currency.* \(the statement covers no rows, and only rows name it\)$/m,
  );
});

test('a signed statement is verified without its rows, and a proof by the signed statement', async () => {
  const alone = await done(['verify', 'statement.json', '--keys', 'operator-keys.json']);
  expect(alone.stdout).toMatch(/^only signed: .*proof\.merkleRoot.* \(no rows were given\)$/m);
  const [topic, partition, offset] = read('rows.csv').split('\n')[3].split(',');
  const place = ['--topic', topic.replaceAll('"', ''), '--partition', partition, '--offset', offset];
  await done(['prove', 'rows.csv', '--statement', 'statement.json', ...place, '--out', 'proof.json']);
  const proof = await done(['verify', 'proof.json', '--statement', 'statement.json', '--keys', 'operator-keys.json']);
  expect(proof.stdout).toMatch(/^signed {2}proof\.json: by key /m);
  expect(proof.stdout).not.toMatch(/who issued/);
});

describe('altered', () => {
  test.each<[string, () => void, RegExp]>([
    [
      'a value that nothing recomputes',
      () => write('altered.json', read('statement.json').replace('"who": "Ada"', '"who": "Bob"')),
      /is not one of these octets/,
    ],
    ['a space at the end', () => write('altered.json', `${read('statement.json')} `), /is not one of these octets/],
    [
      'CRLF',
      () => write('altered.json', read('statement.json').replaceAll('\n', '\r\n')),
      /a file was re-saved: use the original/,
    ],
    ['a byte order mark', () => write('altered.json', `\ufeff${read('statement.json')}`), /a file was re-saved/],
  ])('%s: the signature does not hold', async (_, alter, expected) => {
    alter();
    write('altered.json.jws', read('statement.json.jws'));
    const { code, stdout } = await verify('altered.json', 'rows.csv', '--keys', 'operator-keys.json');
    expect(stdout).toMatch(expected);
    expect(stdout).toMatch(/^BROKEN/);
    expect(code).toBe(1);
  });

  test.each<[string, (signature: string) => string, RegExp]>([
    [
      'its last octet',
      (text) => text.slice(0, -1) + (text.endsWith('A') ? 'B' : 'A'),
      /not as it was written|is not one of/,
    ],
    ['a line end after it', (text) => `${text}\n`, /a file was re-saved: use the original files/],
    ['nothing in it', () => '', /not as it was written/],
  ])('the signature, %s: it does not hold', async (_, alter, expected) => {
    write('altered.jws', alter(read('statement.json.jws')));
    const { code, stdout } = await verify(...SIGNED, '--signature', 'altered.jws');
    expect(stdout).toMatch(expected);
    expect(code).toBe(1);
  });

  test('an unsigned statement with a byte order mark and CRLF is compared by its values, and named', async () => {
    write('resaved.json', `\ufeff${read('statement.json').replaceAll('\n', '\r\n')}`);
    write('resaved.csv', `\ufeff${read('rows.csv').replaceAll('\n', '\r\n')}`);
    const { stdout } = await done(['verify', 'resaved.json', 'resaved.csv']);
    expect(stdout).toMatch(/^note {4}resaved\.json: was re-saved \(CRLF line ends\)/m);
    expect(stdout).toMatch(/^note {4}resaved\.csv: was re-saved \(byte order mark\)/m);
  });
});

describe('rotation', () => {
  test('statements under both keys are verified by the new key set, and a compromised key is refused', async () => {
    write('rotated.json', read('key.json'));
    chmodSync(zerorate.path('rotated.json'), 0o600);
    const [before] = keyIds('operator-keys.json');
    await done(['signing-key', 'rotate', '--key', 'rotated.json']);
    await done(['signing-key', 'show', '--key', 'rotated.json', '--out', 'both.json']);
    expect(keyIds('both.json')).toHaveLength(2);
    await done(['statement', ...LUMEN, '--out', 'second.json'], {
      ZERORATE_SIGNING_KEY_FILE: zerorate.path('rotated.json'),
    });
    expect((await done(['verify', 'statement.json', 'rows.csv', '--keys', 'both.json'])).stdout).toContain(before);
    await done(['verify', 'second.json', 'rows.csv', '--keys', 'both.json']);
    expect((await verify('second.json', 'rows.csv', '--keys', 'operator-keys.json')).stdout).toMatch(
      /which the key set does not have; take the operator’s current key set/,
    );

    await done(['signing-key', 'rotate', '--key', 'rotated.json', '--compromised']);
    await done(['signing-key', 'show', '--key', 'rotated.json', '--out', 'after.json']);
    expect((await verify('second.json', 'rows.csv', '--keys', 'after.json')).code).toBe(1);
    await done(['verify', 'statement.json', 'rows.csv', '--keys', 'after.json']);
  });

  test('a signature of another text is not left beside a statement that is written again', async () => {
    write('again.json', '{}');
    write('again.json.jws', 'old');
    await done(['statement', ...LUMEN, '--out', 'again.json']);
    expect(existsSync(zerorate.path('again.json.jws'))).toBe(false);
  });
});

describe('refused with exit code 2, and nothing written', () => {
  test.each<[string, () => string[], RegExp]>([
    [
      'a key that others can read',
      () => {
        write('open.json', read('key.json'));
        chmodSync(zerorate.path('open.json'), 0o644);
        return ['statement', ...LUMEN, '--out', 'refused.json', '--signing-key', 'open.json'];
      },
      /open\.json: has mode 0644, so that others can read .*`chmod 600 open\.json/,
    ],
    [
      'a key that was changed',
      () => {
        write('changed.json', read('key.json').replace('"keyId": "', '"keyId": "x'));
        chmodSync(zerorate.path('changed.json'), 0o600);
        return [
          'close',
          '--sponsor',
          'chatter',
          '--month',
          '2026-03',
          '--who',
          'Ada',
          ...STORE,
          '--out',
          'refused.json',
          '--signing-key',
          'changed.json',
        ];
      },
      /changed\.json: is not a whole key file/,
    ],
    [
      'the public key set as a key',
      () => ['statement', ...LUMEN, '--out', 'refused.json', '--signing-key', 'nowhere.json'],
      /nowhere\.json: cannot be read: .*signing-key create/,
    ],
    [
      'a signed workbook',
      () => ['statement', ...LUMEN, '--out', 'refused.xlsx', '--signing-key', 'key.json'],
      /--signing-key: signs the statement as JSON/,
    ],
    [
      'a key file that is there',
      () => ['signing-key', 'create', '--key', 'key.json'],
      /key\.json: is there already; .*rotate/,
    ],
    [
      'no signature',
      () => ['verify', 'unsigned.json', 'rows.csv', '--keys', 'operator-keys.json'],
      /unsigned\.json\.jws: no signature is there/,
    ],
    [
      'a private key as the key set',
      () => ['verify', 'statement.json', 'rows.csv', '--keys', 'key.json'],
      /key\.json:\d+: /,
    ],
    [
      'a signature without a key set',
      () => ['verify', 'statement.json', 'rows.csv', '--signature', 'statement.json.jws'],
      /--signature: needs/,
    ],
    [
      'a proof with a key set alone',
      () => ['verify', 'proof.json', '--keys', 'operator-keys.json'],
      /--keys is about a signed statement/,
    ],
  ])('%s', async (_, argsOf, expected) => {
    const { code, stderr } = await zerorate.run(argsOf());
    expect(stderr).toMatch(expected);
    expect(code).toBe(2);
    expect(existsSync(zerorate.path('refused.json'))).toBe(false);
  });

  test('no private key is printed', async () => {
    const { d } = JSON.parse(read('key.json')).keys[0];
    for (const args of [
      ['signing-key', 'show', '--key', 'key.json'],
      ['verify', 'statement.json', 'rows.csv', '--keys', 'key.json'],
    ]) {
      const { stdout, stderr } = await zerorate.run(args);
      expect(stdout + stderr).not.toContain(d);
    }
  });
});
