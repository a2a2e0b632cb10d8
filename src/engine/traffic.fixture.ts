import { parseCatalogue } from '../rating/catalogue/catalogue-compile.ts';
import type { Catalogue, Plan } from '../rating/catalogue.ts';
import type { FlowRecord } from '../rating/flow-record.ts';
import { testRecord } from '../rating/traffic.fixture.ts';

const CATALOGUE = `
sponsors:
  - { id: chatter, name: Chatter, currency: USD, creditLimit: "1000" }
applications:
  - { id: chat, sponsor: chatter, match: any, tags: [CHAT], prefixes: [198.51.100.0/24] }
plans:
  - id: chat-daily
    application: chat
    version: 1
    effectiveFrom: 2020-01-01T00:00:00Z
    effectiveTo: null
    period: day
    timeZone: UTC
    content: { unknown: 3333, video: 5000 }
    quotaOctets: 30000
    notifyAt: [5000, 10000]
    tiers: [{ upToOctets: 10000, pricePerMiB: "0.123457" }, { upToOctets: null, pricePerMiB: "0.05" }]
`;

/** One sponsor, one application, one plan with a share and a quota a day. */
export function chatCatalogue(latePolicy: Plan['latePolicy'] = 'adjust'): Catalogue {
  const { catalogue, faults } = parseCatalogue(`${CATALOGUE}    latePolicy: ${latePolicy}\n`, 'catalogue.yaml');
  if (catalogue === undefined) throw new Error(JSON.stringify(faults));
  return catalogue;
}

/** A record of the application by its address, of one subscriber. */
export function chatRecord(overrides: Partial<FlowRecord> = {}): FlowRecord {
  const startTime = Date.UTC(2026, 10, 23, 12);
  return testRecord({ startTime, endTime: startTime + 60_000, ...overrides });
}
