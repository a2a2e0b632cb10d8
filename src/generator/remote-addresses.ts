import { ConfigError } from '../platform/config/config-error.ts';
import { claimText, conditionsOf } from '../rating/claims.ts';
import { PrefixTable } from '../rating/classify.ts';
import type { FlowCondition } from '../rating/flow-condition.ts';
import { wordMaps } from '../rating/word-maps.ts';
import { drawInside, formatAddress, type Prefix, parsePrefix } from './address-space.ts';
import type { GenerateTarget } from './generate-options.ts';
import type { Random } from './random.ts';

/** Draws remote addresses: of an application's proxies, or of no application. */
export interface RemoteAddresses {
  /** Returns an address whose longest prefix is the target's, and the traffic that the prefix is for where it is not for all. */
  ofTarget(target: number, random: Random): { remoteIp: string; flow?: FlowCondition | undefined };
  /** Returns an address in no target's prefix. */
  unclaimed(random: Random): string;
}

// One in four unmatched addresses is v6, from a block that registries have allocated; v4 ones are unicast.
const V6_SHARE = 0.25;
const V6_UNICAST = parsePrefix('2a00::/12');
const MAX_DRAWS = 200;
const V4_GROUPS = 2;

export function createRemoteAddresses(targets: readonly GenerateTarget[]): RemoteAddresses {
  const own: OwnPrefix[][] = [];
  const all: OwnPrefix[] = [];
  // One that is claimed for several protocols or ports has one number.
  const numbers = new Map<string, number>();
  for (const { prefixes } of targets) {
    const ofTarget = prefixes.map((claimed, at) => {
      const cidr = claimText(claimed);
      const number = numbers.get(cidr) ?? all.length + at;
      numbers.set(cidr, number);
      return { ...parsePrefix(cidr), number, flow: conditionsOf(claimed)?.flow };
    });
    own.push(ofTarget);
    all.push(...ofTarget);
  }
  const longest = new LongestPrefix(all);
  return {
    ofTarget: (target, random) => drawOfTarget(own[target] ?? [], longest, random),
    unclaimed: (random) => drawUnclaimed(longest, random),
  };
}

/** A prefix, and its place among those of all targets. */
interface OwnPrefix extends Prefix {
  number: number;
  flow: FlowCondition | undefined;
}

/** Finds the longest prefix of an address, in a time that hardly depends on their number. */
class LongestPrefix {
  readonly #table: PrefixTable;
  readonly #address = new Uint32Array(4);
  readonly #found = new Int32Array(1);

  constructor(prefixes: readonly OwnPrefix[]) {
    this.#table = new PrefixTable(
      wordMaps(
        prefixes.map(({ network, length, number }) => ({
          cidr: `${formatAddress(network)}/${length}`,
          application: number,
        })),
      ),
    );
  }

  /** Returns the prefix's number; -1 if none holds the address. */
  numberOf(address: readonly number[]): number {
    const groups = address.length === V4_GROUPS ? [0, 0, 0, 0, 0, 0xffff, ...address] : address;
    for (let word = 0; word < 4; word++) this.#address[word] = groups[word * 2] * 0x10000 + groups[word * 2 + 1];
    this.#table.ownersOf(this.#address, 1, this.#found);
    return this.#found[0];
  }
}

function drawOfTarget(
  prefixes: readonly OwnPrefix[],
  longest: LongestPrefix,
  random: Random,
): { remoteIp: string; flow?: FlowCondition | undefined } {
  for (let draw = 0; draw < MAX_DRAWS; draw++) {
    const prefix = random.pick(prefixes);
    const address = drawInside(prefix, random);
    if (longest.numberOf(address) === prefix.number) return { remoteIp: formatAddress(address), flow: prefix.flow };
  }
  const [first] = prefixes;
  throw new ConfigError(
    `no address of ${formatAddress(first?.network ?? [])}/${first?.length} is the application's own: longer prefixes cover it`,
  );
}

function drawUnclaimed(longest: LongestPrefix, random: Random): string {
  for (let draw = 0; draw < MAX_DRAWS; draw++) {
    const address = random.uniform() < V6_SHARE ? drawInside(V6_UNICAST, random) : drawV4Unicast(random);
    if (longest.numberOf(address) === -1) return formatAddress(address);
  }
  throw new ConfigError('the prefixes cover all of the addresses: set the share of unmatched records to 0');
}

function drawV4Unicast(random: Random): number[] {
  return [random.integer(0x0b00, 0xdfff), random.integer(0, 0xffff)];
}
