import { ConfigError } from '../platform/config-error.ts';
import { contains, drawInside, formatAddress, type Prefix, parsePrefix } from './address-space.ts';
import type { GenerateTarget } from './generate-options.ts';
import type { Random } from './random.ts';

/** Draws remote addresses: of an application's proxies, or of nobody's. */
export interface RemoteAddresses {
  /** An address whose longest prefix is the target's. */
  ofTarget(target: number, random: Random): string;
  /** An address that no target's prefix holds. */
  ofNobody(random: Random): string;
}

/** A prefix, and the longer ones of other targets inside of it. */
interface OwnPrefix extends Prefix {
  nested: readonly Prefix[];
}

// One in four unmatched addresses is v6, from a block that registries have allocated; v4 ones are unicast.
const V6_SHARE = 0.25;
const V6_UNICAST = parsePrefix('2a00::/12');
const MAX_DRAWS = 200;

export function createRemoteAddresses(targets: readonly GenerateTarget[]): RemoteAddresses {
  const parsed = targets.map(({ prefixes }) => prefixes.map(parsePrefix));
  const all = parsed.flat();
  const own = parsed.map((prefixes) => prefixes.map((prefix) => ({ ...prefix, nested: nestedIn(prefix, all) })));
  return {
    ofTarget: (target, random) => drawOfTarget(own[target] ?? [], random),
    ofNobody: (random) => drawOfNobody(all, random),
  };
}

function nestedIn(outer: Prefix, all: readonly Prefix[]): Prefix[] {
  return all.filter((prefix) => prefix.length > outer.length && contains(outer, prefix.network));
}

function drawOfTarget(prefixes: readonly OwnPrefix[], random: Random): string {
  for (let draw = 0; draw < MAX_DRAWS; draw++) {
    const prefix = random.pick(prefixes);
    const address = drawInside(prefix, random);
    if (!prefix.nested.some((inner) => contains(inner, address))) return formatAddress(address);
  }
  const [first] = prefixes;
  throw new ConfigError(
    `no address of ${formatAddress(first?.network ?? [])}/${first?.length} is the application's own: longer prefixes cover it`,
  );
}

function drawOfNobody(all: readonly Prefix[], random: Random): string {
  for (let draw = 0; draw < MAX_DRAWS; draw++) {
    const address = random.uniform() < V6_SHARE ? drawInside(V6_UNICAST, random) : drawV4Unicast(random);
    if (!all.some((prefix) => contains(prefix, address))) return formatAddress(address);
  }
  throw new ConfigError('the prefixes cover all of the addresses: set the share of unmatched records to 0');
}

function drawV4Unicast(random: Random): number[] {
  return [random.integer(0x0b00, 0xdfff), random.integer(0, 0xffff)];
}
