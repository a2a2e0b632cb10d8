/** What an IPFilterRule says of the server's address. */
export type FilterRule =
  | { kind: 'address'; address: string }
  /** It has conditions that evidence by address cannot express. */
  | { kind: 'conditional'; address: string; conditions: readonly string[] }
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
  const [{ address }] = servers;
  if (address.startsWith('!')) return fault(`${JSON.stringify(text)} excludes an address: name those that are meant`);
  const conditions = [
    ...(protocol === 'ip' ? [] : [`protocol ${protocol}`]),
    ...[source, destination].flatMap(({ ports }) => (ports === null ? [] : [`port ${ports}`])),
  ];
  return conditions.length === 0 ? { kind: 'address', address } : { kind: 'conditional', address, conditions };
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
