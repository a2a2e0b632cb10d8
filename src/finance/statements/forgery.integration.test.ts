import { beforeAll, describe, expect, test } from 'vitest';
import { rowsOf } from './finance.fixture.ts';
import { copyOf, edit, FORGERIES, type Forged, recomputeDerived } from './forgeries.fixture.ts';
import { proveRecord, type RecordProof, verifyRecordProof } from './record-proof.ts';
import { type Statement, statementJson, statementSchema } from './statement-document.ts';
import { signOctets, verifyOctets } from './statement-signature.ts';
import { currentStatementKey, newSigningKeys, publicKeySet } from './statement-signing-key.ts';
import { type BookedStatement, bookedStatement, verified } from './verify.fixture.ts';

let booked: BookedStatement;
beforeAll(async () => {
  booked = await bookedStatement();
});

test.each(FORGERIES)('forged without a signature: %s', async (_, forge, outcome) => {
  const forged = copyOf(booked);
  forge(forged);
  expect(forged).not.toEqual(copyOf(booked));
  const { faults, unproven } = await verified(forged.statement, forged.rows);
  if ('fault' in outcome) expect(faults).toContainEqual(expect.stringMatching(outcome.fault));
  else {
    expect(faults).toEqual([]);
    expect(unproven.map(({ field }) => field)).toContain(outcome.unproven);
  }
});

test.each(FORGERIES)('forged under the operator’s signature: %s', async (_, forge) => {
  const keys = newSigningKeys(0);
  const octets = (statement: Statement) => Buffer.from(`${statementJson(statement)}\n`);
  const signature = await signOctets(octets(booked.statement), currentStatementKey(keys));
  const forged = copyOf(booked);
  forge(forged);
  const isStatement = statementJson(forged.statement) !== statementJson(booked.statement);
  // A forger of the rows alone has the true statement, whose root they do not change.
  if (!isStatement) expect((await verified(forged.statement, forged.rows)).faults).not.toEqual([]);
  else expect((await verifyOctets(octets(forged.statement), signature, publicKeySet(keys))).fault).toBeDefined();
});

describe('the statement of the month before', () => {
  test('proves the opening balance', async () => {
    const { faults, unproven } = await verified(booked.statement, booked.rows, booked.previous);
    expect(faults).toEqual([]);
    expect(unproven.map(({ field }) => field)).not.toContain('totals.openingMicros');
  });

  test('refuses another opening balance, and is refused for another month, sponsor or currency', async () => {
    const forged = copyOf(booked);
    forged.statement.totals.openingMicros += 1_000_000n;
    recomputeDerived(forged);
    expect((await verified(forged.statement, forged.rows, booked.previous)).faults).toContainEqual(
      expect.stringMatching(/^totals\.openingMicros/),
    );
    const other = structuredClone(booked.statement);
    other.sponsor = { ...other.sponsor, id: 'other', currency: 'EUR' };
    expect((await verified(booked.statement, booked.rows, other)).faults).toEqual(
      expect.arrayContaining([
        'the previous statement is of sponsor other',
        'the previous statement is in EUR',
        'the previous statement is of 2026-10',
      ]),
    );
  });
});

/** Yields each scalar of a tree, with a function that alters it. */
function* scalarsOf(tree: object, path = ''): Generator<{ path: string; alter: () => void }> {
  const holder = tree as Record<string, unknown>;
  for (const [key, value] of Object.entries(holder)) {
    const name = path === '' ? key : `${path}.${key}`;
    if (typeof value === 'object' && value !== null) yield* scalarsOf(value, name);
    else {
      const alter = () => {
        holder[key] = altered(value);
      };
      yield { path: name, alter };
    }
  }
}

function altered(value: unknown): unknown {
  if (typeof value === 'bigint') return value + 1n;
  if (typeof value === 'number') return value + 1;
  if (typeof value === 'boolean') return !value;
  // An altered month is still a month; so is an instant.
  return typeof value === 'string' ? value.replace(/\d(?=\D*$)|$/, (digit) => (digit === '1' ? '2' : '1')) : 1n;
}

test('every altered field is a fault, or is listed as not proven', async () => {
  const paths = [...scalarsOf(booked.statement)].map(({ path }) => path);
  expect(paths.length).toBeGreaterThan(100);
  for (const path of paths) {
    const { statement, rows } = copyOf(booked);
    const scalar = [...scalarsOf(statement)].find((each) => each.path === path);
    scalar?.alter();
    // What the schema of a statement refuses is refused before anything is recomputed.
    if (!statementSchema.safeParse(JSON.parse(statementJson(statement))).success) continue;
    const { faults, unproven } = await verified(statement, rows);
    const field = path.replaceAll(/\.\d+(?=\.|$)/g, '[]');
    if (faults.length === 0)
      expect(
        unproven.map((each) => each.field),
        path,
      ).toContain(field);
  }
});

describe('a proof', () => {
  const proofOf = async ({ statement, rows }: Forged): Promise<RecordProof> => {
    const { topic, partition, offset } = rows[0].row;
    const proof = await proveRecord(statement, rowsOf(rows), {
      topic,
      partition: Number(partition),
      offset: Number(offset),
    });
    if (typeof proof === 'string') throw new Error(proof);
    return proof;
  };

  test.each<[string, (proof: RecordProof) => void, RegExp]>([
    [
      'its row',
      ({ rows }) => {
        rows[0].row.charge_micros = '1';
      },
      /leads to the root/,
    ],
    [
      'its place',
      ({ rows }) => {
        rows[0].index += 2;
      },
      /leads to the root|not one of leaf|not after the previous one/,
    ],
    ['its path', ({ rows }) => void rows[0].path.pop(), /its path is not one/],
    ['a row twice', ({ rows }) => void rows.push(structuredClone(rows[0])), /is not after the previous one/],
    [
      'its count',
      (proof) => {
        proof.leaves += 1;
      },
      /^leaves: 14 in the proof, 13 in the statement/,
    ],
    [
      'its month',
      (proof) => {
        proof.month = '2026-12';
      },
      /^month: 2026-12 in the proof, 2026-10 in the statement/,
    ],
    [
      'its sponsor',
      (proof) => {
        proof.sponsorId = 'other';
      },
      /^sponsorId: other in the proof/,
    ],
    [
      'its root',
      (proof) => {
        proof.merkleRoot = 'a'.repeat(64);
      },
      /^merkleRoot: a{64} in the proof/,
    ],
  ])('with the statement: %s', async (_, change, expected) => {
    const proof = await proofOf(copyOf(booked));
    expect(verifyRecordProof(proof, booked.statement)).toEqual([]);
    change(proof);
    expect(verifyRecordProof(proof, booked.statement)).toContainEqual(expect.stringMatching(expected));
  });

  test('of a forged row with its own root does not verify against the true statement', async () => {
    const forged = copyOf(booked);
    edit(forged.rows[0], { charge_micros: '-1' });
    recomputeDerived(forged);
    const proof = await proofOf(forged);
    expect(verifyRecordProof(proof, forged.statement)).toEqual([]);
    expect(verifyRecordProof(proof, booked.statement)).toContainEqual(expect.stringMatching(/^merkleRoot: /));
  });
});
