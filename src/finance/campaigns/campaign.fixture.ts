import { parseCatalogue } from '../../rating/catalogue/catalogue-compile.ts';
import type { Catalogue } from '../../rating/catalogue.ts';

/** Returns a catalogue of one campaign, `launch` of sponsor chatter, at 1 USD for a MiB. */
export function campaignCatalogue(
  campaign: string,
  { timeZone = 'UTC', period = 'month', id = 'launch' } = {},
): Catalogue {
  const text = `
sponsors:
  - { id: chatter, name: Chatter, currency: USD, creditLimit: "1000000" }
applications:
  - { id: chat, sponsor: chatter, match: any, tags: [CHAT], prefixes: [198.51.100.0/24] }
plans:
  - id: ${id}
    application: chat
    version: 1
    effectiveFrom: 2020-01-01T00:00:00Z
    effectiveTo: null
    period: ${period}
    timeZone: ${timeZone}
    content: { unknown: 10000 }
    quotaOctets: null
    tiers: [{ upToOctets: null, pricePerMiB: "1.000000" }]
    campaign: ${campaign}
`;
  const { catalogue, faults } = parseCatalogue(text, 'catalogue.yaml');
  if (catalogue === undefined) throw new Error(JSON.stringify(faults));
  return catalogue;
}
