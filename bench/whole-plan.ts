const WHOLE = 10_000; // basis points
const CONTENT_TYPES = ['text', 'voice', 'image', 'video', 'other', 'unknown'];

/** A catalogue's plan for an application: everything is covered, up to a quota that is never reached. */
export function wholePlan(application: string, pricePerMiB: string) {
  return {
    id: `${application}-plan`,
    application,
    version: 1,
    effectiveFrom: '2020-01-01T00:00:00Z',
    effectiveTo: null,
    period: 'month',
    timeZone: 'UTC',
    content: Object.fromEntries(CONTENT_TYPES.map((type) => [type, WHOLE])),
    quotaOctets: 2 ** 50,
    notifyAt: [],
    tiers: [{ upToOctets: null, pricePerMiB }],
    latePolicy: 'adjust',
  };
}
