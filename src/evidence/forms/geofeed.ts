import { parseCsv } from '../../formats/csv.ts';
import { AddressListCollector, type ReadAddressList } from './address-list.ts';

const COUNTRY = /^([A-Za-z]{2})?$/;

/** Reads a self-published geofeed (RFC 8805): CSV of prefix, country, region, city, postal code; lines with `#` are comments. */
export function readGeofeed(text: string, file: string): ReadAddressList {
  const collector = new AddressListCollector(file);
  // Line numbers stay.
  const rows = parseCsv(text.replaceAll(/^[ \t]*#.*$/gm, ''));
  if (typeof rows === 'string') {
    const [, line, message] = /^(\d+): (.*)$/.exec(rows) ?? [];
    return { faults: [{ file, line: Number(line), path: '', message: `${message}; fetch it again` }] };
  }
  for (const { line, cells } of rows) {
    const place = () => ({ line, path: '' });
    const [prefix = '', country] = cells.map((cell) => cell.trim());
    if (country === undefined || !COUNTRY.test(country)) {
      collector.fault(place, 'expected prefix,country,region,city,postal code (RFC 8805), as 192.0.2.0/24,DE,,,');
    } else collector.addNetworkOrAddress(prefix, place);
  }
  return collector.finish(null);
}
