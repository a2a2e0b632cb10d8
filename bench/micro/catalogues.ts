import type { GenerateTarget } from '../../src/generator/generate-options.ts';
import type { Random } from '../../src/generator/random.ts';
import { catalogueFromCanonicalJson } from '../../src/rating/catalogue/catalogue-compile.ts';
import { formatCidr, networkOf } from '../../src/rating/ip-address.ts';
import { Rules } from '../../src/rating/rules.ts';

/** As long as prefixes that are announced and filtered are: a /24 more often than any other. */
const V4_LENGTHS = [16, 19, 20, 21, 22, 22, 23, 23, 24, 24, 24, 24, 24, 24, 24, 26, 28, 30, 32, 32, 32];
const V6_LENGTHS = [32, 36, 40, 44, 48, 48, 48, 56, 64, 64, 128];
/** First groups of what registries have allocated. */
const V6_BLOCKS = [0x2001, 0x2400, 0x2600, 0x2a00];
const V6_EVERY = 10;

export interface Tier {
  upToOctets: number | null;
  pricePerMiB: string;
}

const ONE_TIER: readonly Tier[] = [{ upToOctets: null, pricePerMiB: '0.02' }];

/** Rules with a sponsor and a plan for each application; all content is covered, up to a quota that is never reached. */
export function rulesOf(applications: readonly GenerateTarget[], tiers = ONE_TIER): Rules {
  const content = { text: 10000, voice: 10000, image: 7500, video: 5000, other: 3333, unknown: 10000 };
  const document = {
    sponsors: applications.map((_, i) => ({ id: `sponsor-${i}`, name: 'S', currency: 'USD', creditLimit: '1000' })),
    applications: applications.map(({ tags, prefixes }, i) => ({
      id: `app-${i}`,
      sponsor: `sponsor-${i}`,
      tags,
      prefixes,
    })),
    plans: applications.map((_, i) => ({
      id: `plan-${i}`,
      application: `app-${i}`,
      version: 1,
      effectiveFrom: '2026-01-01T00:00:00Z',
      effectiveTo: null,
      period: 'month',
      timeZone: 'UTC',
      content,
      quotaOctets: 2 ** 50,
      notifyAt: [5000, 8000, 10_000],
      tiers,
    })),
  };
  return new Rules(catalogueFromCanonicalJson(JSON.stringify(document)));
}

/** Applications with a tag and a /24 each. */
export function taggedApplications(count: number): GenerateTarget[] {
  return Array.from({ length: count }, (_, i) => ({
    tags: [`TAG-${i}`],
    prefixes: [`${11 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}.0/24`],
  }));
}

/** Distinct prefixes of mixed lengths, one in ten of them IPv6; some hold others. */
export function drawPrefixes(count: number, random: Random): string[] {
  const drawn = new Set<string>();
  while (drawn.size < count) {
    const isV6 = drawn.size % V6_EVERY === V6_EVERY - 1;
    const words = Uint32Array.from({ length: 4 }, () => random.uint32());
    if (isV6) words[0] = (random.pick(V6_BLOCKS) << 16) | (words[0] & 0xffff);
    else words.set([0, 0, 0xffff]);
    const length = isV6 ? random.pick(V6_LENGTHS) : random.pick(V4_LENGTHS) + 96;
    drawn.add(formatCidr(networkOf({ words, length })));
  }
  return [...drawn];
}
