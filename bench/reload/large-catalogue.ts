import { createWriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

export interface CatalogueSize {
  /** Each has a tag, an identity of the ASP and a plan. */
  applications: number;
  /** IPv4 and IPv6 in turns; every tenth has dates. */
  prefixes: number;
}

/** What records are drawn of. */
export function targetOf(application: number, { applications, prefixes }: CatalogueSize) {
  const first = Math.floor((application * prefixes) / applications);
  return { tags: [`TAG-${application}`], prefixes: [cidr(first), cidr(first + 1)] };
}

function cidr(index: number): string {
  const network = index >> 1;
  const [high, middle, low] = [20 + (network >> 16), (network >> 8) & 255, network & 255];
  return index % 2 === 0
    ? `${high}.${middle}.${low}.0/24`
    : `2001:db8:${high}:${((middle << 8) | low).toString(16)}::/64`;
}

/** Writes a catalogue as JSON, which is YAML. One of another `version` has other prices and a hundredth of other prefixes. */
export async function writeLargeCatalogue(path: string, size: CatalogueSize, version: number): Promise<void> {
  await pipeline(Readable.from(linesOf(size, version)), createWriteStream(path));
}

function* linesOf({ applications, prefixes }: CatalogueSize, version: number): Generator<string> {
  yield '{"sponsors":[{"id":"s","name":"S","currency":"EUR","creditLimit":"1000000.00"}],\n"applications":[\n';
  for (let i = 0; i < applications; i++) {
    const [from, to] = [i, i + 1].map((at) => Math.floor((at * prefixes) / applications));
    const own = Array.from({ length: to - from }, (_, at) => claimOf(from + at, version, prefixes));
    const application = {
      id: `app-${i}`,
      sponsor: 's',
      tags: [`TAG-${i}`],
      aspIdentities: [`asp-${i}`],
      prefixes: own,
    };
    yield `${JSON.stringify(application)}${i < applications - 1 ? ',' : ''}\n`;
  }
  yield '],\n"plans":[\n';
  for (let i = 0; i < applications; i++) {
    yield `${JSON.stringify(planOf(i, version))}${i < applications - 1 ? ',' : ''}\n`;
  }
  yield ']}\n';
}

function claimOf(index: number, version: number, prefixes: number): string | object {
  // Behind all others, so that it is no other one's.
  const own = index % 100 === 99 ? cidr(index + prefixes * version) : cidr(index);
  return index % 10 === 5 ? { cidr: own, from: '2026-01-01T00:00:00Z' } : own;
}

function planOf(application: number, version: number): object {
  return {
    id: `plan-${application}`,
    application: `app-${application}`,
    version: 1,
    effectiveFrom: '2026-01-01T00:00:00Z',
    effectiveTo: null,
    period: 'month',
    timeZone: 'Europe/Berlin',
    content: { text: 10000, voice: 10000, image: 10000, video: 10000, other: 10000, unknown: 10000 },
    quotaOctets: 2 ** 40,
    tiers: [
      { upToOctets: 2 ** 30, pricePerMiB: `0.0${10 + version}` },
      { upToOctets: null, pricePerMiB: '0.010' },
    ],
  };
}
