import type { ContentType } from '../session-protocol/content-octets.ts';

/** An application of the loop, as catalogue, dispatch server and proxies are configured for it. */
export interface LoopApplication {
  applicationId: string;
  sponsorId: string;
  tag: string;
  /** Basis points. */
  content: Partial<Record<ContentType, number>>;
  /** Null: none; then the sponsor's credit ends it. */
  quotaOctets: number | null;
  atCap: 'stop' | 'subscriber_pays';
}

export const SPONSORS = [
  { id: 'chatter', currency: 'USD', creditLimit: '100000.00' },
  { id: 'parley', currency: 'EUR', creditLimit: '100000.00' },
  { id: 'lumen', currency: 'USD', creditLimit: '2.00' },
] as const;

/** Different in what a plan can say: shares, content, a quota or none, and what happens at the cap. */
export const APPLICATIONS: readonly LoopApplication[] = [
  {
    applicationId: 'chatter',
    sponsorId: 'chatter',
    tag: 'CHAT',
    content: { text: 10_000, voice: 10_000, image: 10_000, video: 10_000 },
    quotaOctets: 600_000,
    atCap: 'stop',
  },
  {
    applicationId: 'chatter-calls',
    sponsorId: 'chatter',
    tag: 'CHAT-CALL',
    content: { text: 10_000, voice: 7500, image: 10_000, video: 2500 },
    quotaOctets: 400_000,
    atCap: 'subscriber_pays',
  },
  {
    applicationId: 'parley',
    sponsorId: 'parley',
    tag: 'PARLEY',
    content: { text: 10_000, image: 5000 },
    quotaOctets: 300_000,
    atCap: 'stop',
  },
  {
    applicationId: 'lumen',
    sponsorId: 'lumen',
    tag: 'LUMEN',
    content: { text: 10_000, voice: 10_000, image: 10_000, video: 10_000 },
    quotaOctets: null,
    atCap: 'stop',
  },
];

export function loopCatalogue(): object {
  return {
    sponsors: SPONSORS.map((sponsor) => ({ ...sponsor, name: sponsor.id })),
    applications: APPLICATIONS.map(({ applicationId, sponsorId, tag }) => ({
      id: applicationId,
      sponsor: sponsorId,
      match: 'tag',
      tags: [tag],
      prefixes: [],
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
