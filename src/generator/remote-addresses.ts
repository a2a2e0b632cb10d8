import { PrefixTable } from '../billing/prefix-table.ts';
import { ConfigError } from '../platform/config-error.ts';
import { drawInside, formatAddress, type Groups, type Prefix, parsePrefix } from './address-space.ts';
import type { GenerateTarget } from './generate-options.ts';
import type { Random } from './random.ts';

/** Draws remote addresses: of an application's proxies, or of nobody's. */
export interface RemoteAddresses {
  /** An address whose longest prefix is the target's. */
  ofTarget(target: number, random: Random): string;
  /** An address that no target's prefix holds. */
  ofNobody(random: Random): string;
}

// One in four unmatched addresses is v6, from a block that registries have allocated; v4 ones are unicast.
const V6_SHARE = 0.25;
const V6_UNICAST = parsePrefix('2a00::/12');
const MAX_DRAWS = 200;
const V4_GROUPS = 2;
/** ::ffff:0:0/96 */
const V4_MAPPED = [0, 0, 0, 0, 0, 0xffff];

export function createRemoteAddresses(targets: readonly GenerateTarget[]): RemoteAddresses {
  const own = targets.map(({ prefixes }) => prefixes.map(parsePrefix));
  const lengths = own.flat().map(({ length }) => length);
  const longest = new LongestPrefix(
    targets.flatMap(({ prefixes }) => prefixes),
    lengths,
  );
  return {
    ofTarget: (target, random) => drawOfTarget(own[target] ?? [], longest, random),
    ofNobody: (random) => drawOfNobody(longest, random),
  };
}

/** The length of the longest prefix that holds an address; a look-up costs the same however many there are. */
class LongestPrefix {
  readonly #lengths: readonly number[];
  readonly #table: PrefixTable;
  readonly #words = new Uint32Array(4);
  readonly #found = new Int32Array(1);

  constructor(cidrs: readonly string[], lengths: readonly number[]) {
    this.#lengths = lengths;
    this.#table = new PrefixTable(cidrs.map((cidr, application) => ({ cidr, application })));
  }

  /** -1 if no prefix holds it. */
  lengthAt(address: Groups): number {
    const groups = address.length === V4_GROUPS ? [...V4_MAPPED, ...address] : address;
    for (let word = 0; word < this.#words.length; word++) {
      this.#words[word] = (groups[2 * word] << 16) | groups[2 * word + 1];
    }
    this.#table.applicationsOf(this.#words, 1, this.#found);
    return this.#lengths[this.#found[0]] ?? -1;
  }
}

function drawOfTarget(prefixes: readonly Prefix[], longest: LongestPrefix, random: Random): string {
  for (let draw = 0; draw < MAX_DRAWS; draw++) {
    const prefix = random.pick(prefixes);
    const address = drawInside(prefix, random);
    if (longest.lengthAt(address) <= prefix.length) return formatAddress(address);
  }
  const [first] = prefixes;
  throw new ConfigError(
    `no address of ${formatAddress(first?.network ?? [])}/${first?.length} is the application's own: longer prefixes cover it`,
  );
}

function drawOfNobody(longest: LongestPrefix, random: Random): string {
  for (let draw = 0; draw < MAX_DRAWS; draw++) {
    const address = random.uniform() < V6_SHARE ? drawInside(V6_UNICAST, random) : drawV4Unicast(random);
    if (longest.lengthAt(address) < 0) return formatAddress(address);
  }
  throw new ConfigError('the prefixes cover all of the addresses: set the share of unmatched records to 0');
}

function drawV4Unicast(random: Random): number[] {
  return [random.integer(0x0b00, 0xdfff), random.integer(0, 0xffff)];
}
