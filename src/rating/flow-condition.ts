/** Ports from first to last, both included. */
export interface PortSpan {
  first: number;
  last: number;
}

/** What a prefix asks of a record beside its address, as a packet flow description does (TS 29.122): protocol, and ports of the remote side. */
export interface FlowCondition {
  /** IANA number, 0 to 255. */
  protocol: number;
  /** Ascending and apart; empty: all ports, or a protocol without ports. */
  ports: readonly PortSpan[];
}

/** Protocols by the names that a catalogue may give them (IANA, protocol numbers). */
const PROTOCOL_NUMBERS = {
  icmp: 1,
  igmp: 2,
  tcp: 6,
  udp: 17,
  dccp: 33,
  gre: 47,
  esp: 50,
  ah: 51,
  icmpv6: 58,
  sctp: 132,
  udplite: 136,
} as const;
type ProtocolName = keyof typeof PROTOCOL_NUMBERS;
export const PROTOCOL_NAMES = Object.keys(PROTOCOL_NUMBERS) as [ProtocolName, ...ProtocolName[]];
export const MAX_PROTOCOL = 255;
export const MAX_PORT = 65_535;
/** Most spans of ports of one prefix: a record that its address meets may have to be compared with each. */
export const MAX_PORT_SPANS = 64;

/** The protocols whose ports may be named. */
const WITH_PORTS: ReadonlySet<number> = new Set([PROTOCOL_NUMBERS.tcp, PROTOCOL_NUMBERS.udp, PROTOCOL_NUMBERS.sctp]);
export const PROTOCOLS_WITH_PORTS = ['tcp', 'udp', 'sctp'] as const;

/** Returns a protocol's number: of a name, or as it is given. */
export function protocolNumber(protocol: number | ProtocolName): number {
  return typeof protocol === 'number' ? protocol : PROTOCOL_NUMBERS[protocol];
}

/** Returns a protocol's name; of one without a name `protocol` and its number. */
export function protocolInWords(protocol: number): string {
  return PROTOCOL_NAMES.find((name) => PROTOCOL_NUMBERS[name] === protocol) ?? `protocol ${protocol}`;
}

export function hasPorts(protocol: number): boolean {
  return WITH_PORTS.has(protocol);
}

/** Returns the spans of ports as they are written, `443` or `5000-5999`; null where one is no span. */
export function parsePortSpans(texts: readonly (string | number)[]): PortSpan[] | null {
  const spans: PortSpan[] = [];
  for (const text of texts) {
    const digits = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(String(text));
    if (digits === null) return null;
    const first = Number(digits[1]);
    const last = Number(digits[2] ?? digits[1]);
    if (first > last || last > MAX_PORT) return null;
    spans.push({ first, last });
  }
  return spans;
}

/** Returns the same ports in ascending spans, those that touch or overlap as one; all ports are no spans. */
export function mergePortSpans(spans: readonly PortSpan[]): PortSpan[] {
  const merged: PortSpan[] = [];
  for (const { first, last } of [...spans].sort((a, b) => a.first - b.first)) {
    const before = merged.at(-1);
    if (before === undefined || first > before.last + 1) merged.push({ first, last });
    else if (last > before.last) before.last = last;
  }
  const isAll = merged.length === 1 && merged[0].first === 0 && merged[0].last === MAX_PORT;
  return isAll ? [] : merged;
}

/** Returns a span as a catalogue writes it. */
export function formatPortSpan({ first, last }: PortSpan): string {
  return first === last ? String(first) : `${first}-${last}`;
}

/** Whether some record could meet both conditions; no condition is met by every record. */
export function doFlowsOverlap(a: FlowCondition | undefined, b: FlowCondition | undefined): boolean {
  if (a === undefined || b === undefined) return true;
  if (a.protocol !== b.protocol) return false;
  if (a.ports.length === 0 || b.ports.length === 0) return true;
  return a.ports.some((own) => b.ports.some((other) => own.first <= other.last && other.first <= own.last));
}

export function meetsFlow(condition: FlowCondition, flow: { protocol: number; remotePort: number }): boolean {
  if (condition.protocol !== flow.protocol) return false;
  const { ports } = condition;
  return ports.length === 0 || ports.some(({ first, last }) => flow.remotePort >= first && flow.remotePort <= last);
}

/** `tcp`, `udp port 443` or `tcp ports 80, 5000-5999`. */
export function flowInWords({ protocol, ports }: FlowCondition): string {
  const name = protocolInWords(protocol);
  if (ports.length === 0) return name;
  const noun = ports.length === 1 && ports[0].first === ports[0].last ? 'port' : 'ports';
  return `${name} ${noun} ${ports.map(formatPortSpan).join(', ')}`;
}
