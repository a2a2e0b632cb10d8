import {
  type FlowCondition,
  hasPorts,
  PROTOCOLS_WITH_PORTS,
  parsePortSpans,
  protocolNumber,
} from '../../rating/flow-condition.ts';
import { parseProtocol } from '../prefix-text.ts';

/** What an IPFilterRule says of the server's address. */
export type FilterRule =
  /** `flows`: the protocols and ports of the server that it is for; empty: all traffic of the address. */
  | { kind: 'address'; address: string; flows: readonly FlowCondition[] }
  /** It has conditions that a prefix of a catalogue cannot express. */
  | { kind: 'conditional'; conditions: readonly string[] }
  | { kind: 'fault'; message: string };

interface Endpoint {
  address: string;
  ports: string | null;
}

const PORTS = /^\d{1,5}(-\d{1,5})?(,\d{1,5}(-\d{1,5})?)*$/;
/** Of the terminal's side. */
const ANY_TERMINAL = ['assigned', 'any'];
const FORM = 'expected "permit in|out ip from ADDRESS to assigned" (RFC 6733, 4.3.1)';

/**
 * Reads a flow description of a PFD (TS 29.122), which is an IPFilterRule (RFC 6733, 4.3.1): the server's address is the side that is
 * neither `assigned` nor `any`, whichever direction the rule is written for.
 */
export function readFilterRule(text: string): FilterRule {
  const words = text.trim().split(/\s+/);
  const [action, direction, protocol, from] = words;
  if (action === 'deny') return fault('a rule that denies cannot be evidence: remove it from the PFDs');
  if (action !== 'permit' || !['in', 'out'].includes(direction) || protocol === undefined || from !== 'from') {
    return fault(`${JSON.stringify(text)} is no flow description: ${FORM}`);
  }
  const to = words.indexOf('to');
  const source = endpoint(words.slice(4, to));
  const destination = endpoint(words.slice(to + 1));
  if (to < 0 || source === null || destination === null) {
    return fault(`${JSON.stringify(text)} is no flow description without options: ${FORM}`);
  }
  const servers = [source, destination].filter(({ address }) => !ANY_TERMINAL.includes(address));
  if (servers.length !== 1) {
    const names =
      servers.length === 0 ? 'names no address of a server;' : 'names two addresses: which is the server’s?';
    return fault(`${JSON.stringify(text)} ${names} ${FORM}`);
  }
  const [{ address, ports }] = servers;
  if (address.startsWith('!')) return fault(`${JSON.stringify(text)} excludes an address: name those that are meant`);
  const terminal = source === servers[0] ? destination : source;
  if (terminal.ports !== null) return { kind: 'conditional', conditions: [`port ${terminal.ports} of the terminal`] };
  const flows = flowsOf(protocol, ports);
  if (typeof flows === 'string') return fault(`${JSON.stringify(text)}: ${flows}`);
  return { kind: 'address', address, flows };
}

/** Returns the traffic of a protocol, or of any (`ip`), and of ports of the server; or what is wrong with it. */
function flowsOf(protocol: string, ports: string | null): FlowCondition[] | string {
  const spans = ports === null ? [] : parsePortSpans(ports.split(','));
  if (spans === null) return `${ports} are no ports from 0 to 65535`;
  if (protocol === 'ip') {
    // Only these have ports that a record names.
    return ports === null ? [] : PROTOCOLS_WITH_PORTS.map((name) => ({ protocol: protocolNumber(name), ports: spans }));
  }
  const number = parseProtocol(protocol);
  if (number === null) return `${protocol} is no protocol: expected ip, or a number from 0 to 255`;
  return ports === null || hasPorts(number)
    ? [{ protocol: number, ports: spans }]
    : `protocol ${protocol} has no ports`;
}

/** An address and its ports; null for anything else. */
function endpoint([address, ports, ...rest]: readonly string[]): Endpoint | null {
  if (address === undefined || rest.length > 0) return null;
  if (ports === undefined) return { address, ports: null };
  return PORTS.test(ports) ? { address, ports } : null;
}

function fault(message: string): FilterRule {
  return { kind: 'fault', message };
}
