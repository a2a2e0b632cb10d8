import { parseCsv } from '../../formats/csv.ts';
import type { NodeCountries } from './roaming-rules.ts';

/**
 * Reads a list of nodes: a line `nodeId,country` for each (ISO 3166-1 alpha-2), and an optional first line of these words.
 * Returns a fault for each other line.
 */
export function parseNodeCountries(
  text: string,
): { countries: NodeCountries; faults?: undefined } | { countries?: undefined; faults: string[] } {
  const countries = new Map<string, string>();
  const faults: string[] = [];
  const rows = parseCsv(text);
  if (typeof rows === 'string') return { faults: [rows] };
  for (const [at, { line, cells }] of rows.entries()) {
    const [node, country, ...rest] = cells.map((cell) => cell.trim());
    if ((node === '' && cells.length === 1) || (at === 0 && node === 'nodeId')) continue;
    const fault = (message: string) => faults.push(`${line}: ${message}`);
    if (node === '' || rest.length > 0) fault('expected nodeId,country');
    else if (!/^[A-Z]{2}$/.test(country ?? '')) fault('expected a country of two capital letters, as DE');
    else if (countries.has(node)) fault(`node ${node} is listed twice`);
    else countries.set(node, country);
  }
  if (faults.length === 0 && countries.size === 0) faults.push('1: expected a line nodeId,country for each node');
  return faults.length > 0 ? { faults } : { countries };
}
