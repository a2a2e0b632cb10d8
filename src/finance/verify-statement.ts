import { type ExportedRow, rowLeaf } from './exported-row.ts';
import { MerkleTree } from './merkle.ts';
import type { FileRow } from './rows-file.ts';
import { digestOfBatches, dueOf, totalsOf } from './statement-arithmetic.ts';
import type { Statement, StatementLine } from './statement-document.ts';
import { TierCheck } from './verify-tiers.ts';

/** What rows of one kind add up to. */
interface Sums {
  rows: number;
  sponsoredOctets: bigint;
  subscriberOctets: bigint;
  chargeMicros: bigint;
}

type Groups = Map<string, Sums>;

/**
 * Checks a statement against the rows that it covers, with nothing else at hand: each sum, the count, and the Merkle root.
 * Returns what does not hold, a sentence each; none: the statement holds.
 */
export async function verifyStatement(statement: Statement, rows: AsyncIterable<FileRow>): Promise<string[]> {
  const tree = new MerkleTree();
  const found = new Sections(statement);
  const strangers: string[] = [];
  for await (const { row, line } of rows) {
    tree.add(rowLeaf(row));
    const stranger = strangerFault(row, statement);
    if (stranger === null) found.add(row);
    else strangers.push(`row ${line}: ${stranger}`);
  }
  return [...strangers, ...found.differences(), ...totalFaults(statement), ...proofFaults(statement, tree)];
}

/** A row that this statement cannot cover. */
function strangerFault(row: ExportedRow, { sponsor, month }: Statement): string | null {
  if (row.sponsor_id !== sponsor.id) return `is of sponsor ${row.sponsor_id}, the statement of ${sponsor.id}`;
  if (row.currency !== sponsor.currency) return `is in ${row.currency}, the statement in ${sponsor.currency}`;
  return row.month > month ? `is of ${row.month}, the statement of ${month}` : null;
}

/** Rows added up as the sections of a statement are. */
class Sections {
  readonly #statement: Statement;
  readonly #tiers: ReadonlyMap<string, TierCheck>;
  readonly #lines: Groups = new Map();
  readonly #corrections: Groups = new Map();
  readonly #days: Groups = new Map();
  readonly #applications: Groups = new Map();
  readonly #contentTypes: Groups = new Map();

  constructor(statement: Statement) {
    this.#statement = statement;
    this.#tiers = new Map(statement.lines.map((line) => [lineName(line), new TierCheck(line)]));
  }

  add(row: ExportedRow): void {
    if (row.origin === 'charge') {
      const name = `line ${row.application_id}, ${row.plan_id} version ${row.plan_version}, ${row.month}`;
      addTo(this.#lines, name, row);
      this.#tiers.get(name)?.add(row);
    } else {
      addTo(this.#corrections, `correction ${row.correction_number}, ${row.month}`, row);
    }
    if (row.month !== this.#statement.month) return;
    addTo(this.#days, `day ${row.start_time.slice(0, 10)}`, row);
    addTo(this.#applications, `application ${row.application_id}`, row);
    addTo(this.#contentTypes, `content type ${row.content_type}`, row);
  }

  /** Where the statement says otherwise. */
  differences(): string[] {
    const { lines, corrections, byDay, byApplication, byContentType } = this.#statement;
    const named = <T>(items: readonly T[], nameOf: (item: T) => string) =>
      items.map((item) => ({ ...item, name: nameOf(item) }));
    return [
      ...compared(
        this.#lines,
        named(lines, lineName).map((line) => ({ ...line, rows: line.records })),
      ),
      ...[...this.#tiers].flatMap(([name, check]) => check.faults().map((fault) => `${name}: ${fault}`)),
      ...compared(
        this.#corrections,
        named(corrections, ({ number, usageMonth }) => `correction ${number}, ${usageMonth}`),
      ),
      ...compared(
        this.#days,
        named(byDay, ({ day }) => `day ${day}`),
      ),
      ...compared(
        this.#applications,
        named(byApplication, ({ applicationId }) => `application ${applicationId}`),
      ),
      ...compared(
        this.#contentTypes,
        named(byContentType, ({ contentType }) => `content type ${contentType}`),
      ),
    ];
  }
}

function addTo(groups: Groups, name: string, row: ExportedRow): void {
  let sums = groups.get(name);
  if (sums === undefined) {
    sums = { rows: 0, sponsoredOctets: 0n, subscriberOctets: 0n, chargeMicros: 0n };
    groups.set(name, sums);
  }
  sums.rows++;
  sums.sponsoredOctets += BigInt(row.sponsored_octets);
  sums.subscriberOctets += BigInt(row.subscriber_octets);
  sums.chargeMicros += BigInt(row.charge_micros);
}

/** `rows` is compared where the statement has a count of them. */
type Said = Omit<Sums, 'rows'> & { name: string; rows?: number };

function compared(found: Groups, said: readonly Said[]): string[] {
  const names = new Set(said.map(({ name }) => name));
  const unsaid = [...found.keys()].filter((name) => !names.has(name));
  return [
    ...said.flatMap((each) => differencesOf(found.get(each.name), each)),
    ...unsaid.map((name) => `${name}: has rows, and the statement does not list it`),
  ];
}

function differencesOf(found: Sums | undefined, said: Said): string[] {
  if (found === undefined) return [`${said.name}: the statement lists it, and it has no rows`];
  return (Object.keys(found) as (keyof Sums)[])
    .filter((key) => said[key] !== undefined && said[key] !== found[key])
    .map(
      (key) =>
        `${said.name}: ${key === 'rows' ? 'the count' : key} is ${found[key]} by the rows and ${said[key]} in the statement`,
    );
}

function lineName({ applicationId, planId, planVersion, usageMonth }: StatementLine): string {
  return `line ${applicationId}, ${planId} version ${planVersion}, ${usageMonth}`;
}

function totalFaults(statement: Statement): string[] {
  const { totals, sponsor, lines, corrections, month } = statement;
  const due = statement.due === null ? null : dueOf(statement, totals.openingMicros, sponsor.minorDigits);
  const expected = totalsOf(statement, totals.openingMicros, sponsor.minorDigits, statement.isClosed ? due : null);
  const misplaced = [...lines, ...corrections].filter(
    ({ isAdjustment, usageMonth }) => isAdjustment !== (usageMonth !== month),
  );
  return [
    ...unlike('total', totals, expected),
    ...(statement.due === null || due === null ? [] : unlike('amount due', statement.due, due)),
    ...misplaced.map(
      ({ usageMonth }) =>
        `total: what was used in ${usageMonth} is an adjustment, and only what was not used in ${month}`,
    ),
  ];
}

function unlike<T extends object>(what: string, said: T, expected: T): string[] {
  return (Object.keys(expected) as (keyof T & string)[])
    .filter((key) => expected[key] !== said[key])
    .map((key) => `${what}: ${key} is ${said[key]} in the statement, whose parts make ${expected[key]}`);
}

function proofFaults({ proof }: Statement, tree: MerkleTree): string[] {
  const { leaves, merkleRoot, batches } = proof;
  const root = Buffer.from(tree.root()).toString('hex');
  return [
    ...(tree.count === leaves ? [] : [`rows: ${tree.count} in the file and ${leaves} in the statement`]),
    ...(root === merkleRoot ? [] : [`Merkle root: ${root} by the rows and ${merkleRoot} in the statement`]),
    ...(batches.list === null ||
    (digestOfBatches(batches.list) === batches.digest && batches.list.length === batches.count)
      ? []
      : ['batches: their digests do not make the digest over them']),
  ];
}
