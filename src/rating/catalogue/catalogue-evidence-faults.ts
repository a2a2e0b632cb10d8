import type { DocumentPath } from '../../formats/document-fault.ts';
import {
  doFlowsOverlap,
  type FlowCondition,
  flowInWords,
  hasPorts,
  MAX_PORT,
  MAX_PORT_SPANS,
  PROTOCOLS_WITH_PORTS,
  parsePortSpans,
  protocolInWords,
  protocolNumber,
} from '../flow-condition.ts';
import { type Cidr, formatCidr, networkOf, parseCidr } from '../ip-address.ts';
import { serviceInWords } from '../service-claims.ts';
import type { CatalogueDocument, CatalogueFault } from './catalogue-document.ts';
import { type PrefixDocument, readClaim } from './claim-document.ts';

const MAPPED = [0, 0, 0xffff] as const;
const MAPPED_LENGTH = 96;
const NO_NETWORK = 'is no network: expected CIDR, as 203.0.113.0/24 or 2001:db8::/32';
const LISTS = [
  'tags',
  'prefixes',
  'aspIdentities',
  'sponsorIdentities',
  'ratingGroups',
  'serviceIdentifiers',
  'detectedNames',
] as const;

/** Names a place of the catalogue in a message. */
export type NameOfPath = (path: DocumentPath) => string;

/** Claims that end before they begin, claims of one tag, prefix, identity, rating group or service identifier that overlap, and prefixes that are none, or whose ports are. */
export function evidenceFaults(document: CatalogueDocument, nameOf: NameOfPath): CatalogueFault[] {
  return LISTS.flatMap((list) => {
    const faults: CatalogueFault[] = [];
    const once = new Set<string>();
    // Of a million prefixes, few are claimed more than once.
    const repeated = new Map<string, Claimant[]>();
    for (const claimant of claimantsOf(document, list)) {
      const fault = claimFault(claimant);
      const claimed = claimedBy(claimant);
      if (fault !== null) faults.push(fault);
      else if (once.has(claimed)) repeated.set(claimed, []);
      else once.add(claimed);
    }
    if (repeated.size === 0) return faults;
    for (const claimant of claimantsOf(document, list)) {
      if (claimFault(claimant) === null) repeated.get(claimedBy(claimant))?.push(claimant);
    }
    return [...faults, ...[...repeated].flatMap(([claimed, claimants]) => overlaps(claimed, claimants, nameOf))];
  });
}

function claimFault({ path, text, from, to, portsProblem }: Claimant): CatalogueFault | null {
  const problem = path[2] === 'prefixes' ? prefixProblem(text) : null;
  if (problem !== null) return { path, message: problem };
  if (portsProblem !== null) return { path: [...path, 'ports'], message: portsProblem };
  if (from === undefined || to === undefined || Date.parse(to) > Date.parse(from)) return null;
  return { path: [...path, 'to'], message: `${to} is not after from ${from}` };
}

/** The tag or identity, or the prefix in one spelling; an IPv4 network has no other. */
function claimedBy({ path, text }: Claimant): string {
  const cidr = path[2] === 'prefixes' && text.includes(':') ? parseCidr(text) : null;
  return cidr === null ? text : formatCidr(cidr);
}

/** Who claims something, where the catalogue says so, and the dates as it writes them. */
interface Claimant {
  application: string;
  path: readonly ['applications', number, (typeof LISTS)[number], number];
  text: string;
  from?: string | undefined;
  to?: string | undefined;
  flow?: FlowCondition | undefined;
  /** Of a detected name: how; absent: in any way. */
  by?: readonly string[] | undefined;
  portsProblem: string | null;
}

function* claimantsOf({ applications }: CatalogueDocument, list: (typeof LISTS)[number]): Generator<Claimant> {
  for (const [i, application] of applications.entries()) {
    for (const [at, claim] of (application[list] ?? []).entries()) {
      yield { application: application.id, path: ['applications', i, list, at], ...written(list, claim) };
    }
  }
}

type Entry = NonNullable<CatalogueDocument['applications'][number][(typeof LISTS)[number]]>[number];

function written(list: (typeof LISTS)[number], claim: Entry): Omit<Claimant, 'application' | 'path'> {
  if (typeof claim === 'number') {
    const service = list === 'ratingGroups' ? { ratingGroup: claim } : { serviceIdentifier: claim };
    return { text: serviceInWords(service), portsProblem: null };
  }
  if (typeof claim !== 'string' && ('ratingGroup' in claim || 'serviceIdentifier' in claim)) {
    return { text: serviceInWords(claim), from: claim.from, to: claim.to, portsProblem: null };
  }
  if (typeof claim !== 'string' && 'name' in claim) {
    return { text: claim.name, from: claim.from, to: claim.to, by: claim.by, portsProblem: null };
  }
  const problem = typeof claim === 'string' || !('cidr' in claim) ? null : portsProblem(claim);
  return { ...readClaim(claim), portsProblem: problem };
}

/** Names, for each claim of the same, one earlier claim that is still in force when it begins. */
function overlaps(claimed: string, claimants: readonly Claimant[], nameOf: NameOfPath): CatalogueFault[] {
  const spans = claimants.map((claimant) => ({
    claimant,
    fromMs: claimant.from === undefined ? Number.NEGATIVE_INFINITY : Date.parse(claimant.from),
    toMs: claimant.to === undefined ? Number.POSITIVE_INFINITY : Date.parse(claimant.to),
  }));
  spans.sort((a, b) => (a.fromMs < b.fromMs ? -1 : a.fromMs > b.fromMs ? 1 : 0));
  let open: typeof spans = [];
  return spans.flatMap((span) => {
    open = open.filter(({ toMs }) => toMs > span.fromMs);
    const [before] = open
      .filter(
        ({ claimant: { flow, by } }) => doFlowsOverlap(flow, span.claimant.flow) && doWaysOverlap(by, span.claimant.by),
      )
      .sort((a, b) => b.toMs - a.toMs);
    open.push(span);
    return before === undefined ? [] : [overlap(claimed, span.claimant, before.claimant, nameOf)];
  });
}

function doWaysOverlap(a: readonly string[] | undefined, b: readonly string[] | undefined): boolean {
  return a === undefined || b === undefined || a.some((way) => b.includes(way));
}

function overlap(claimed: string, claimant: Claimant, before: Claimant, nameOf: NameOfPath): CatalogueFault {
  const { path, text, from } = claimant;
  const [, , list] = path;
  const named = nameOfClaim(list, text);
  const also = claimed === text ? '' : ` (${claimed})`;
  if ([claimant, before].every((each) => !isDated(each) && each.flow === undefined && each.by === undefined)) {
    return { path, message: `${named}${also} is claimed already by application ${before.application}` };
  }
  const remedy =
    claimant.flow === undefined && before.flow === undefined
      ? 'so end one where the other begins'
      : 'so end one where the other begins, or give them protocols or ports that no record has both of';
  const message =
    `${named}${also} (${spanOf(claimant)}) overlaps the claim of application ${before.application} (${spanOf(before)}) ` +
    `(${nameOf(before.path)}): one claim of it is in force at a time, ${remedy}`;
  return { path: from === undefined ? path : [...path, 'from'], message };
}

function nameOfClaim(list: (typeof LISTS)[number], text: string): string {
  if (list === 'prefixes') return `prefix ${text}`;
  if (list === 'tags') return `tag ${JSON.stringify(text)}`;
  if (list === 'detectedNames') return `detected name ${JSON.stringify(text)}`;
  return list === 'ratingGroups' || list === 'serviceIdentifiers' ? text : `identity ${JSON.stringify(text)}`;
}

/** Returns why a prefix's ports are none; null where they are good, or there are none. */
export function portsProblem({
  protocol,
  ports,
}: Pick<Exclude<PrefixDocument, string>, 'protocol' | 'ports'>): string | null {
  if (ports === undefined) return null;
  const needs = `ports need protocol: ${PROTOCOLS_WITH_PORTS.join(', ')}`;
  if (protocol === undefined) return needs;
  const number = protocolNumber(protocol);
  if (!hasPorts(number)) return `${needs}, not ${protocolInWords(number)}`;
  const texts = [ports].flat();
  const wrong = texts.find((text) => parsePortSpans([text]) === null);
  if (wrong !== undefined) return `${wrong} is no span of ports from 0 to ${MAX_PORT}: expected 443 or "5000-5999"`;
  if (texts.length <= MAX_PORT_SPANS) return null;
  return `${texts.length} spans of ports: expected at most ${MAX_PORT_SPANS}; join those beside each other, or leave ports out`;
}

function isDated({ from, to }: Claimant): boolean {
  return from !== undefined || to !== undefined;
}

function spanOf(claimant: Claimant): string {
  const { from = 'no beginning', to = 'no end', flow, by } = claimant;
  const dates = isDated(claimant) ? `${from} to ${to}` : 'always';
  if (by !== undefined) return `by ${by.join(', ')}, ${dates}`;
  return flow === undefined ? dates : `${flowInWords(flow)}, ${dates}`;
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
