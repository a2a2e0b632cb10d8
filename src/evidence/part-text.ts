import { formatFault } from '../formats/document-fault.ts';
import { readYamlDocument } from '../formats/read-yaml-document.ts';
import { ConfigError } from '../platform/config/config-error.ts';
import { portsProblem, prefixProblem } from '../rating/catalogue/catalogue-evidence-faults.ts';
import { type CataloguePart, cataloguePartSchema } from '../rating/catalogue/catalogue-part.ts';
import { readFlow } from '../rating/catalogue/claim-document.ts';
import { formatPortSpan } from '../rating/flow-condition.ts';
import { formatCidr, parseCidr } from '../rating/ip-address.ts';
import type { DatedPrefix } from './dated-prefixes.ts';
import { parsePrefixText, prefixText, protocolText } from './prefix-text.ts';

/** A part of the catalogue as a feed writes it. */
export interface FeedPart extends Omit<CataloguePart, 'prefixes'> {
  prefixes: readonly DatedPrefix[];
}

/** Reads a part of the catalogue. Throws a ConfigError with a line for each fault. */
export function parsePart(text: string, file: string): FeedPart {
  const read = readYamlDocument(text, file, cataloguePartSchema);
  if (read.faults !== undefined) throw new ConfigError(read.faults.map(formatFault));
  const { prefixes, ...rest } = read.value;
  return { ...rest, prefixes: prefixes.map((prefix) => datedPrefix(prefix, file)) };
}

/** Returns a prefix of a catalogue or of a part of it with its dates. Throws a ConfigError on what is none; `file` is for its message. */
export function datedPrefix(prefix: CataloguePart['prefixes'][number], file: string): DatedPrefix {
  const written = typeof prefix === 'string' ? { cidr: prefix } : prefix;
  const { cidr, from, to } = written;
  const problem = prefixProblem(cidr) ?? portsProblem(written);
  const network = parseCidr(cidr);
  if (problem !== null || network === null) throw new ConfigError(`${file}: ${cidr}: ${problem}`);
  return {
    prefix: prefixText({ network, flow: readFlow(written) }),
    fromMs: from === undefined ? Number.NEGATIVE_INFINITY : Date.parse(from),
    toMs: to === undefined ? Number.POSITIVE_INFINITY : Date.parse(to),
  };
}

/** Returns a part as its file has it: a prefix a line, so that versions of it can be compared by line. */
export function partText({ prefixes, ...rest }: FeedPart): string {
  return yamlText(
    'Written by `zerorate evidence approve`; `zerorate evidence show` reports a change by hand.',
    rest,
    prefixes.map(lineOf),
  );
}

/** Returns a prefix as a part has it: its network alone, where it has no dates, no protocol and no ports. */
function lineOf({ prefix, fromMs, toMs }: DatedPrefix): string {
  const { network, flow } = parsePrefixText(prefix);
  const fields = [`cidr: ${JSON.stringify(formatCidr(network))}`];
  if (flow !== undefined) fields.push(`protocol: ${protocolText(flow.protocol)}`);
  if (flow !== undefined && flow.ports.length > 0)
    fields.push(`ports: ${JSON.stringify(flow.ports.map(formatPortSpan))}`);
  if (fromMs !== Number.NEGATIVE_INFINITY) fields.push(`from: ${timeText(fromMs)}`);
  if (toMs !== Number.POSITIVE_INFINITY) fields.push(`to: ${timeText(toMs)}`);
  return fields.length === 1 ? JSON.stringify(formatCidr(network)) : `{ ${fields.join(', ')} }`;
}

/** Returns YAML of fields, each a line, and a list of prefixes; values are JSON, which is YAML. */
export function yamlText(comment: string, fields: object, prefixes: readonly string[]): string {
  const lines = Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}: ${JSON.stringify(value)}`);
  return [`# ${comment}`, ...lines, prefixes.length === 0 ? 'prefixes: []' : 'prefixes:']
    .concat(prefixes.map((prefix) => `  - ${prefix}`))
    .map((line) => `${line}\n`)
    .join('');
}

/** An instant as files and messages show it: in UTC, without a fraction of a second where it has none. */
export function timeText(timeMs: number): string {
  return new Date(timeMs).toISOString().replace('.000Z', 'Z');
}
