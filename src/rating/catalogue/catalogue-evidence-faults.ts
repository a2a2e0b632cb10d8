import { type Cidr, formatCidr, networkOf, parseCidr } from '../ip-address.ts';
import type { CatalogueDocument, CatalogueFault } from './catalogue-document.ts';

const MAPPED = [0, 0, 0xffff] as const;
const MAPPED_LENGTH = 96;
const NO_NETWORK = 'is no network: expected CIDR, as 203.0.113.0/24 or 2001:db8::/32';

/** Tags, prefixes and identities that are claimed twice, and prefixes that are none. */
export function evidenceFaults({ applications }: CatalogueDocument): CatalogueFault[] {
  const tags = new Claims();
  const networks = new Claims();
  const identities = { aspIdentities: new Claims(), sponsorIdentities: new Claims() };
  return applications.flatMap(({ id, tags: ownTags, prefixes, ...claimed }, application) => [
    ...ownTags.flatMap((tag, i) => {
      const claim = tags.claim(tag, id);
      return claim === null
        ? []
        : [fault(application, 'tags', i, `tag ${JSON.stringify(tag)} is claimed already by ${claim}`)];
    }),
    ...prefixes.flatMap((prefix, i) => {
      const cidr = parseCidr(prefix);
      if (cidr === null) return [fault(application, 'prefixes', i, `${JSON.stringify(prefix)} ${NO_NETWORK}`)];
      const problem = networkProblem(prefix, cidr);
      if (problem !== null) return [fault(application, 'prefixes', i, problem)];
      // An IPv4 network has one spelling.
      const network = prefix.includes(':') ? formatCidr(cidr) : prefix;
      const claim = networks.claim(network, id);
      const also = network === prefix ? '' : ` (${network})`;
      return claim === null
        ? []
        : [fault(application, 'prefixes', i, `prefix ${prefix}${also} is claimed already by ${claim}`)];
    }),
    ...(['aspIdentities', 'sponsorIdentities'] as const).flatMap((list) =>
      (claimed[list] ?? []).flatMap((identity, i) => {
        const claim = identities[list].claim(identity, id);
        return claim === null
          ? []
          : [fault(application, list, i, `identity ${JSON.stringify(identity)} is claimed already by ${claim}`)];
      }),
    ),
  ]);
}

/** Who claimed a word first. */
class Claims {
  readonly #owners = new Map<string, string>();

  claim(word: string, application: string): string | null {
    const owner = this.#owners.get(word);
    if (owner === undefined) this.#owners.set(word, application);
    return owner === undefined ? null : `application ${owner}`;
  }
}

function fault(application: number, list: string, i: number, message: string): CatalogueFault {
  return { path: ['applications', application, list, i], message };
}

/** Returns why a text is no prefix of a catalogue; null for one that is. */
export function prefixProblem(text: string): string | null {
  const cidr = parseCidr(text);
  return cidr === null ? `${JSON.stringify(text)} ${NO_NETWORK}` : networkProblem(text, cidr);
}

function networkProblem(text: string, cidr: Cidr): string | null {
  const network = networkOf(cidr);
  if (text.includes(':')) {
    const isMapped = MAPPED.every((word, i) => cidr.words[i] === word) && cidr.length >= MAPPED_LENGTH;
    if (isMapped) return `${text} is an IPv4-mapped network: write it as ${formatCidr(network)}`;
    if (holdsMapped(network.words, network.length)) {
      return `${text} holds the IPv4-mapped addresses too: name IPv4 and IPv6 apart, as 0.0.0.0/0 and 2000::/3`;
    }
  }
  const isNetwork = network.words.every((word, i) => word === cidr.words[i]);
  return isNetwork ? null : `${text} has host bits set: the network is ${formatCidr(network)}`;
}

function holdsMapped(words: Uint32Array, length: number): boolean {
  if (length >= MAPPED_LENGTH) return false;
  const { words: outer } = networkOf({ words: Uint32Array.from([...MAPPED, 0]), length });
  return outer.every((word, i) => word === words[i]);
}
