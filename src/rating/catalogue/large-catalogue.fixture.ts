/** A catalogue of so many applications, each with a tag, ten prefixes and a plan. */
export function largeCatalogue(applications: number): string {
  const each = <T>(write: (i: number) => T) => Array.from({ length: applications }, (_, i) => write(i));
  const network = (i: number) => `${20 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}.0/24`;
  return [
    'sponsors:',
    '  - { id: carrier, name: Carrier, currency: EUR, creditLimit: "1000000.00" }',
    'applications:',
    ...each((a) => {
      const prefixes = Array.from({ length: 10 }, (_, i) => network(a * 10 + i)).join(', ');
      return `  - id: app-${a}\n    sponsor: carrier\n    tags: [tag-${a}]\n    prefixes: [${prefixes}]`;
    }),
    'plans:',
    ...each((a) =>
      [
        `  - id: plan-${a}`,
        `    application: app-${a}`,
        '    version: 1',
        '    effectiveFrom: 2026-01-01T00:00:00Z',
        '    effectiveTo: null',
        '    period: month',
        '    timeZone: Europe/Berlin',
        '    content: { text: 10000, voice: 5000 }',
        '    quotaOctets: 1073741824',
        '    tiers:',
        '      - { upToOctets: 1073741824, pricePerMiB: "0.020" }',
        '      - { upToOctets: null, pricePerMiB: "0.010" }',
      ].join('\n'),
    ),
    '',
  ].join('\n');
}

/** The shortest time of a few, which other work on the machine changes least. */
export function shortestMs(work: () => void, times = 5): number {
  return Math.min(
    ...Array.from({ length: times }, () => {
      const startMs = performance.now();
      work();
      return performance.now() - startMs;
    }),
  );
}
