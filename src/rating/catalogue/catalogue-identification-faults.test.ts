import { expect, test } from 'vitest';
import { formatFault } from '../../formats/document-fault.ts';
import { parseCatalogue } from './catalogue-compile.ts';

const GOOD = `sponsors:
  - { id: s1, name: S, currency: EUR, creditLimit: "10" }
applications:
  - { id: a1, sponsor: s1, tags: [T1], prefixes: [203.0.113.0/24] }
plans:
  - id: p1
    application: a1
    version: 1
    effectiveFrom: 2026-01-01T00:00:00Z
    effectiveTo: null
    period: month
    timeZone: UTC
    content: { text: 10000 }
    quotaOctets: null
    tiers: [{ upToOctets: null, pricePerMiB: "0.5" }]
`;

/** The faults of the good catalogue with each piece replaced. */
function faultsOf(...pieces: [piece: string, replacement: string][]): string[] {
  let text = GOOD;
  for (const [piece, replacement] of pieces) {
    expect(text).toContain(piece);
    text = text.replace(piece, replacement);
  }
  return (parseCatalogue(text, 'c.yaml').faults ?? []).map(formatFault);
}

test.each([
  ['terminal_tag', 'tag'],
  ['proxy_mark', 'tag'],
  ['terminal_tag, proxy_mark', 'tag'],
  ['terminal_tag, proxy_address', 'both'],
  ['proxy_mark, proxy_address', 'both'],
])('an application identified by %s with match: %s is good', (ways, match) => {
  expect(faultsOf(['tags: [T1]', `tags: [T1], match: ${match}, identifiedBy: [${ways}]`])).toEqual([]);
});

test.each([
  ['[sender]', 'tag', '4: applications[0].identifiedBy[0]:'],
  ['[]', 'tag', '4: applications[0].identifiedBy: expected a way, or no such field'],
  [
    '[terminal_tag]',
    'any',
    '4: applications[0].identifiedBy: identification by terminal_tag needs match: tag, not any',
  ],
  ['[proxy_mark]', 'ip', '4: applications[0].identifiedBy: identification by proxy_mark needs match: tag, not ip'],
  [
    '[proxy_address]',
    'tag',
    '4: applications[0].identifiedBy: identification by proxy_address needs match: ip, not tag',
  ],
  [
    '[terminal_tag, proxy_address]',
    'tag',
    '4: applications[0].identifiedBy: identification by terminal_tag and proxy_address needs match: both, not tag',
  ],
  ['[terminal_tag, terminal_tag]', 'tag', '4: applications[0].identifiedBy: names a way twice'],
])('identifiedBy %s with match %s is refused', (ways, match, message) => {
  const found = faultsOf(['tags: [T1]', `tags: [T1], match: ${match}, identifiedBy: ${ways}`]);
  expect(found).toContainEqual(expect.stringContaining(message));
});

test('a way without its evidence is refused', () => {
  expect(faultsOf(['tags: [T1]', 'match: tag, identifiedBy: [terminal_tag]'])).toEqual([
    expect.stringContaining('terminal_tag and proxy_mark need a tag in tags'),
  ]);
  expect(
    faultsOf(['tags: [T1], prefixes: [203.0.113.0/24]', 'match: ip, identifiedBy: [proxy_address]']),
  ).toContainEqual(expect.stringContaining("proxy_address needs the proxy's network in prefixes"));
});

test('records by address alone name no content type: a plan that could not rate them is refused', () => {
  const byAddress = (content: string) =>
    faultsOf(['tags: [T1]', 'match: ip, identifiedBy: [proxy_address]'], ['{ text: 10000 }', content]);
  const fault = [expect.stringContaining(':13: plans[0].content: a1 is identified by')];
  expect(byAddress('{ text: 10000 }')).toEqual(fault);
  expect(byAddress('{ text: 5000, unknown: 10000 }')).toEqual(fault);
  expect(byAddress('{ text: 10000, unknown: 10000 }')).toEqual([]);
});
