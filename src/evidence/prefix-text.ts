import { portsProblem, prefixProblem } from '../rating/catalogue/catalogue-evidence-faults.ts';
import {
  type FlowCondition,
  formatPortSpan,
  mergePortSpans,
  PROTOCOL_NAMES,
  parsePortSpans,
  protocolNumber,
} from '../rating/flow-condition.ts';
import { type Cidr, compareNetworks, formatCidr, parseCidr } from '../rating/ip-address.ts';

/** A prefix of a published list: its network, and the protocol and ports that it is for; absent: all traffic. */
export interface ListedPrefix {
  network: Cidr;
  flow?: FlowCondition | undefined;
}

/** Returns a prefix in its one text: `192.0.2.0/24`, `192.0.2.0/24 udp` or `192.0.2.0/24 tcp 443,5000-5999`. */
export function prefixText({ network, flow }: ListedPrefix): string {
  if (flow === undefined) return formatCidr(network);
  const ports = flow.ports.map(formatPortSpan).join(',');
  return `${formatCidr(network)} ${protocolText(flow.protocol)}${ports === '' ? '' : ` ${ports}`}`;
}

/** Returns a protocol's name, or its number where it has none. */
export function protocolText(protocol: number): string {
  return PROTOCOL_NAMES.find((name) => protocolNumber(name) === protocol) ?? String(protocol);
}

/** Returns why a text is no prefix as `prefixText` writes it; null for one that is. */
export function listedPrefixProblem(text: string): string | null {
  const [cidr, , ports] = text.split(' ');
  const listed = readPrefixText(text);
  if (listed === null)
    return prefixProblem(cidr) ?? `${JSON.stringify(text)} has no protocol and ports as 192.0.2.0/24 tcp 443,5000-5999`;
  const { flow } = listed;
  const problem = prefixProblem(cidr) ?? portsProblem({ protocol: flow?.protocol, ports: ports?.split(',') });
  if (problem !== null) return problem;
  const canonical = prefixText(listed);
  return canonical === text ? null : `${JSON.stringify(text)} is written ${canonical}`;
}

/** Reads what `prefixText` wrote. Throws a TypeError on what is no prefix. */
export function parsePrefixText(text: string): ListedPrefix {
  const listed = readPrefixText(text);
  if (listed === null) throw new TypeError(`not a prefix: ${text}`);
  return listed;
}

/** Null for what is no prefix. */
function readPrefixText(text: string): ListedPrefix | null {
  const [cidr, protocol, ports, ...rest] = text.split(' ');
  const network = parseCidr(cidr);
  const spans = ports === undefined ? [] : parsePortSpans(ports.split(','));
  const number = protocol === undefined ? undefined : parseProtocol(protocol);
  if (network === null || spans === null || number === null || rest.length > 0) return null;
  return number === undefined ? { network } : { network, flow: { protocol: number, ports: mergePortSpans(spans) } };
}

/** Returns the IANA number of a protocol that is named, or numbered; null for anything else. */
export function parseProtocol(text: string): number | null {
  const name = PROTOCOL_NAMES.find((each) => each === text);
  if (name !== undefined) return protocolNumber(name);
  return /^\d{1,3}$/.test(text) && Number(text) <= 255 ? Number(text) : null;
}

/** Orders prefixes by network, then by protocol. */
export function comparePrefixes(a: ListedPrefix, b: ListedPrefix): number {
  return compareNetworks(a.network, b.network) || (a.flow?.protocol ?? -1) - (b.flow?.protocol ?? -1);
}
