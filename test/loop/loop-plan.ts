import type { Identification } from '../../src/rating/catalogue.ts';
import type { SessionContentType } from '../../src/sessions/protocol/content-octets.ts';

/** An application of the loop, as catalogue, dispatch server and proxies are configured for it. */
export interface LoopApplication {
  applicationId: string;
  sponsorId: string;
  /** The way in which the network knows its traffic. */
  way: Identification;
  /** Of its flow records; null when the proxy's address is the evidence. */
  tag: string | null;
  /** Basis points. */
  content: Partial<Record<SessionContentType | 'unknown', number>>;
  /** Null: none; then the sponsor's credit ends it. */
  quotaOctets: number | null;
  atCap: 'stop' | 'subscriber_pays';
}

export const SPONSORS = [
  { id: 'chatter', currency: 'USD', creditLimit: '100000.00' },
  { id: 'parley', currency: 'EUR', creditLimit: '100000.00' },
  { id: 'lumen', currency: 'USD', creditLimit: '2.00' },
] as const;

/** Proxies that serve only applications identified by their address have this one. */
export const ADDRESS_PROXY_IP = '127.0.0.2';

/** Different in what a plan can say (shares, content, a quota or none, what happens at the cap), and in all three ways of identification. */
export const APPLICATIONS: readonly LoopApplication[] = [
  {
    applicationId: 'chatter',
    sponsorId: 'chatter',
    way: 'terminal_tag',
    tag: 'CHAT',
    content: { text: 10_000, voice: 10_000, image: 10_000, video: 10_000 },
    quotaOctets: 600_000,
    atCap: 'stop',
  },
  {
    applicationId: 'chatter-calls',
    sponsorId: 'chatter',
    way: 'proxy_mark',
    tag: 'CHAT-CALL',
    content: { text: 10_000, voice: 7500, image: 10_000, video: 2500 },
    quotaOctets: 400_000,
    atCap: 'subscriber_pays',
  },
  {
    applicationId: 'parley',
    sponsorId: 'parley',
    way: 'proxy_mark',
    tag: 'PARLEY',
    content: { text: 10_000, image: 5000 },
    quotaOctets: 300_000,
    atCap: 'stop',
  },
  {
    applicationId: 'lumen',
    sponsorId: 'lumen',
    way: 'proxy_mark',
    tag: 'LUMEN',
    content: { text: 10_000, voice: 10_000, image: 10_000, video: 10_000 },
    quotaOctets: null,
    atCap: 'stop',
  },
  {
    applicationId: 'chatter-notes',
    sponsorId: 'chatter',
    way: 'terminal_tag',
    tag: 'CHAT-NOTES',
    content: { text: 10_000, voice: 5000, image: 10_000 },
    quotaOctets: 400_000,
    atCap: 'subscriber_pays',
  },
  {
    applicationId: 'parley-board',
    sponsorId: 'parley',
    way: 'proxy_address',
    tag: null,
    // Records by address name no content type: one share for all.
    content: { text: 10_000, voice: 10_000, image: 10_000, unknown: 10_000 },
    quotaOctets: 400_000,
    atCap: 'stop',
  },
];

export function loopCatalogue(): object {
  return {
    sponsors: SPONSORS.map((sponsor) => ({ ...sponsor, name: sponsor.id })),
    applications: APPLICATIONS.map(({ applicationId, sponsorId, way, tag }) => ({
      id: applicationId,
      sponsor: sponsorId,
      identifiedBy: [way],
      match: tag === null ? 'ip' : 'tag',
      tags: tag === null ? [] : [tag],
      prefixes: tag === null ? [`${ADDRESS_PROXY_IP}/32`] : [],
      accountKeys: { issuer: sponsorId, jwksFile: `${sponsorId}.jwks.json` },
    })),
    plans: APPLICATIONS.map(({ applicationId, content, quotaOctets }) => ({
      id: `${applicationId}-plan`,
      application: applicationId,
      version: 1,
      effectiveFrom: '2020-01-01T00:00:00Z',
      effectiveTo: null,
      period: 'month',
      timeZone: 'UTC',
      content,
      quotaOctets,
      notifyAt: quotaOctets === null ? [] : [8000, 10_000],
      tiers: [{ upToOctets: null, pricePerMiB: '0.50' }],
      latePolicy: 'adjust',
    })),
  };
}
