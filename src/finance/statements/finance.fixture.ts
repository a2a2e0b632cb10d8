import { memorySource, rawRecords, runEngine } from '../../engine/engine.fixture.ts';
import { literal, type Store } from '../../platform/clickhouse/store.ts';
import { parseCatalogue } from '../../rating/catalogue/catalogue-compile.ts';
import type { Catalogue } from '../../rating/catalogue.ts';
import type { FlowRecord } from '../../rating/flow-record.ts';
import { testRecord } from '../../rating/traffic.fixture.ts';
import type { FileRow } from './rows-file.ts';

/** Returns a catalogue of one sponsor and one application, tagged CHAT, whose plan counts by months in UTC. */
export function chatCatalogue(
  tiers = '[{ upToOctets: 1000000, pricePerMiB: "2" }, { upToOctets: null, pricePerMiB: "1.5" }]',
  sponsor = '{ id: chatter, name: "Chatter & <sons>", currency: USD, creditLimit: "1000" }',
): Catalogue {
  return catalogueOf(`
sponsors: [${sponsor}]
applications: [{ id: chat, sponsor: chatter, tags: [CHAT] }]
plans:
  - id: chat-monthly
    application: chat
    version: 1
    effectiveFrom: 2020-01-01T00:00:00Z
    effectiveTo: null
    period: month
    timeZone: UTC
    content: { text: 10000, video: 5000 }
    quotaOctets: null
    tiers: ${tiers}
`);
}

export function catalogueOf(yaml: string): Catalogue {
  const { catalogue, faults } = parseCatalogue(yaml, 'catalogue.yaml');
  if (catalogue === undefined) throw new Error(JSON.stringify(faults));
  return catalogue;
}

/** Octets that one subscriber used at an instant. */
export interface Use {
  at: string;
  octets: number;
  contentType?: 'text' | 'video';
  msisdn?: string;
  /** Zero-rating tag; default CHAT. */
  tag?: string;
}

/** Books usage through the engine, batch by batch, each into a log that continues where the one before ended. */
export class Booker {
  readonly #store: Store;
  readonly #log: { topic: string; partition: number; lane: string };
  readonly #records: FlowRecord[] = [];

  constructor(store: Store, topic: string, partition = 0) {
    this.#store = store;
    this.#log = { topic, partition, lane: `${topic}-${partition}` };
  }

  /** `skipped`: how many sequence numbers are left out before. */
  async book(uses: readonly Use[], bookedAt: string, { catalogue = chatCatalogue(), skipped = 0 } = {}): Promise<void> {
    const from = this.#records.length;
    const last = this.#records.at(-1)?.localSequenceNumber ?? 0;
    for (const [index, { at, octets, contentType = 'text', msisdn = '999000000001', tag = 'CHAT' }] of uses.entries()) {
      this.#records.push(
        testRecord({
          nodeId: `gw-${this.#log.topic}-${this.#log.partition}`,
          localSequenceNumber: last + skipped + index + 1,
          servedMsisdn: msisdn,
          startTime: Date.parse(at),
          endTime: Date.parse(at) + 1000,
          zeroRatingTag: tag,
          remoteIp: '8.8.8.8',
          contentType,
          uplinkOctets: 0,
          downlinkOctets: octets,
        }),
      );
    }
    const records = rawRecords(this.#records, Date.parse(bookedAt)).slice(from);
    await runEngine({
      store: this.#store,
      source: memorySource(this.#log, records, 1000),
      catalogue,
      maxRecords: 1000,
    });
  }
}

/** Books an account entry under its number. */
export function bookEntry(
  store: Store,
  entry: {
    number: number;
    sponsorId?: string;
    amountMicros: number;
    effectiveAt: string;
    currency?: string;
    kind?: string;
  },
): Promise<void> {
  const { number, sponsorId = 'chatter', amountMicros, effectiveAt, currency = 'USD', kind = 'payment' } = entry;
  return store.command(
    'INSERT INTO account_entries (number, idempotency_key, sponsor_id, currency, kind, amount_micros, effective_at, booked_at, who, why) ' +
      `SELECT ${number}, 'key ${number}', ${literal(sponsorId)}, '${currency}', '${kind}', ${amountMicros}, ` +
      `parseDateTime64BestEffort('${effectiveAt}', 3, 'UTC'), parseDateTime64BestEffort('${effectiveAt}', 3, 'UTC'), 'Ada', 'why ${number}'`,
  );
}

/** Books a correction that reverses every charge of a usage month, and charges other amounts for it. */
export async function bookCorrection(
  store: Store,
  correction: { number: number; month: string; sponsorId?: string; factor: number; bookedOn: string },
): Promise<void> {
  const { number, month, sponsorId = 'chatter', factor, bookedOn } = correction;
  const common = `${number} AS number, 'prices of ${number}' AS correction, toDate('${bookedOn}') AS booking_date, toDateTime64('${bookedOn}', 3, 'UTC') AS booked_at, 'Grace' AS who, 'price agreement' AS why`;
  const rows = (kind: string, sign: string, micros: string) =>
    `SELECT '${kind}' AS kind, ${common}, topic, partition, offset, sponsor_id, application_id, plan_id, plan_version, period_start, subscriber, evidence, content_type, start_time, ` +
    `reason, ${sign}sponsored_octets AS sponsored_octets, ${sign}subscriber_octets AS subscriber_octets, ${micros} AS charge_micros, currency, used_octets_after ` +
    `FROM bookings WHERE origin = 'charge' AND sponsor_id = ${literal(sponsorId)} AND month = '${month}-01'`;
  // As an earlier version has it.
  const head = `SELECT 'head' AS kind, ${common}, repeat('0', 64) AS digest`;
  const columns =
    'kind, number, correction, booking_date, booked_at, who, why, topic, partition, offset, sponsor_id, application_id, plan_id, plan_version, period_start, subscriber, evidence, content_type, start_time, ' +
    'reason, sponsored_octets, subscriber_octets, charge_micros, currency, used_octets_after';
  await store.command(
    `INSERT INTO corrections (kind, number, correction, booking_date, booked_at, who, why, digest) ${head}`,
  );
  await store.command(`INSERT INTO corrections (${columns}) ${rows('reversal', '-', '-charge_micros')}`);
  await store.command(
    `INSERT INTO corrections (${columns}) ${rows('charge', '', `intDiv(charge_micros * ${factor}, 100)`)}`,
  );
}

export async function* rowsOf(rows: readonly FileRow[]): AsyncGenerator<FileRow> {
  yield* rows;
}

/** Lines of a catalogue that make statements invoices. */
export const INVOICING = `
invoicing:
  seller:
    legalName: Example Mobile GmbH
    taxId: DE123456789
    companyId: HRB 4711
    address: { street: Hauptstr. 1, city: Berlin, postalCode: "10115", country: DE }
    endpoint: { scheme: "9930", id: DE123456789 }
    bankAccount: { id: DE02120300000000202051, bankId: BYLADEM1001 }
    contact: { name: Billing, phone: "+49 30 1", email: billing@example.com }
  numbers: "ZR-{year}-{number:6}"
  termsDays: 30
`;

/** Returns a buyer as YAML in one line. */
export function buyer(tax: string, rest = ''): string {
  return `{ legalName: "Buyer & <Co>", taxId: FR12345678901, address: { street: 2 rue X, city: Paris, postalCode: "75001", country: FR }, tax: ${tax}${rest} }`;
}

/** Returns a catalogue of invoiced sponsors, each with one application, whose tag is the sponsor's id in capitals. */
export function invoicedCatalogue(
  sponsors: readonly { id: string; currency: string; buyer: string | null; price?: string }[],
) {
  return catalogueOf(`
sponsors:
${sponsors.map(({ id, currency, buyer }) => `  - { id: ${id}, name: ${id}, currency: ${currency}, creditLimit: "1000"${buyer === null ? '' : `, buyer: ${buyer}`} }`).join('\n')}
applications:
${sponsors.map(({ id }) => `  - { id: app-${id}, sponsor: ${id}, tags: [${id.toUpperCase()}] }`).join('\n')}
plans:
${sponsors
  .map(
    ({ id, price = '2.345678' }) => `  - id: plan-${id}
    application: app-${id}
    version: 1
    effectiveFrom: 2020-01-01T00:00:00Z
    effectiveTo: null
    period: month
    timeZone: UTC
    content: { text: 10000, video: 5000 }
    quotaOctets: null
    tiers: [{ upToOctets: 1000000, pricePerMiB: "${price}" }, { upToOctets: null, pricePerMiB: "1.234567" }]`,
  )
  .join('\n')}
${INVOICING}`);
}
