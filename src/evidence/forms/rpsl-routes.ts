import { AddressListCollector, type ReadAddressList } from './address-list.ts';

export interface RpslFilter {
  /** The autonomous system whose routes are meant, as AS64496. */
  origin?: string | undefined;
}

/** A route or route6 object: its line, and what is in it. */
interface RouteObject {
  line: number;
  prefix: string;
  isIpv6: boolean;
  origin: string | null;
  hasSource: boolean;
}

const ATTRIBUTE = /^([A-Za-z][\w-]*):[ \t]*([^#]*)/;

/**
 * Reads route objects of an Internet Routing Registry (RPSL, RFC 2622 and RFC 4012), as a whois server returns them, or their `route:`
 * lines alone. `%` and `#` begin comments.
 */
export function readRpslRoutes(text: string, file: string, { origin }: RpslFilter): ReadAddressList {
  const collector = new AddressListCollector(file);
  const routes: RouteObject[] = [];
  let isInside = false;
  for (const [i, raw] of text.split('\n').entries()) {
    const line = raw.trimEnd();
    if (line === '') isInside = false;
    // Lines that continue an attribute begin with a blank or a plus.
    if (line === '' || /^[%#]/.test(line) || (isInside && /^[ \t+]/.test(line))) continue;
    const [, name = '', value = ''] = ATTRIBUTE.exec(line) ?? [];
    const problem = addAttribute(routes, isInside, { line: i + 1, name: name.toLowerCase(), value: value.trim() });
    if (problem !== null) collector.fault(() => ({ line: i + 1, path: '' }), problem);
    isInside = routes.length > 0 && problem === null;
  }
  const areLinesAlone = routes.every(({ hasSource, origin: of }) => !hasSource && of === null);
  for (const route of routes) {
    const place = () => ({ line: route.line, path: '' });
    const problem = problemOf(route, origin, areLinesAlone);
    if (problem === null) collector.addNetwork(route.prefix, place);
    else collector.fault(place, problem);
  }
  return collector.finish(null);
}

/** Adds what a line says to the last object, or begins one. Returns what is wrong with the line. */
function addAttribute(
  routes: RouteObject[],
  isInside: boolean,
  { line, name, value }: { line: number; name: string; value: string },
): string | null {
  if (name === 'route' || name === 'route6') {
    routes.push({ line, prefix: value, isIpv6: name === 'route6', origin: null, hasSource: false });
    return null;
  }
  const route = routes.at(-1);
  if (name === '' || !isInside || route === undefined) {
    return 'expected a route or route6 object, as route: 192.0.2.0/24: check the query';
  }
  if (name === 'origin') route.origin = value.toUpperCase();
  if (name === 'source') route.hasSource = true;
  return null;
}

function problemOf(route: RouteObject, origin: string | undefined, areLinesAlone: boolean): string | null {
  if (origin !== undefined && route.origin !== origin.toUpperCase()) {
    const found = route.origin === null ? 'has no origin' : `is of ${route.origin}`;
    return `this route ${found}, not of ${origin} as filter.origin says: check the query`;
  }
  if (!areLinesAlone && !route.hasSource) return 'this object has no source, its last attribute: the list was cut off';
  if (route.prefix.includes(':') === route.isIpv6) return null;
  return `expected ${route.isIpv6 ? 'an IPv6' : 'an IPv4'} network, got ${JSON.stringify(route.prefix)}`;
}
