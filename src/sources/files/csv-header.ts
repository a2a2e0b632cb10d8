import { csvCells } from '../../rating/decode/decode-csv.ts';
import { FLOW_RECORD_FIELDS, NULLABLE_FIELDS } from '../../rating/flow-record.ts';
import { fieldSuggestion, isFieldName } from '../../rating/record/field-names.ts';

const OTHER_DELIMITERS: readonly (readonly [delimiter: string, name: string])[] = [
  [';', 'semicolons'],
  ['\t', 'tabs'],
  ['|', 'vertical bars'],
  [' ', 'spaces'],
  [':', 'colons'],
];
const HOW_TO_START = `start the file with a line of column names: ${FLOW_RECORD_FIELDS.join(',')}`;

/** The cells of a header line, and how many of them are names of fields; none where it is not read as CSV. */
export function headerCells(line: string): { cells: readonly string[]; knownColumns: number } {
  const read = csvCells(Buffer.from(line));
  const cells = typeof read === 'string' ? [] : read.map((cell) => cell.trim());
  return { cells, knownColumns: cells.filter(isFieldName).length };
}

/** What is wrong with the header line of a CSV file, and what to do; null if it names the columns of flow records. */
export function headerFault(line: string): string | null {
  const read = csvCells(Buffer.from(line));
  if (typeof read === 'string') return `the header line cannot be read (${read}); ${HOW_TO_START}`;
  const { cells, knownColumns } = headerCells(line);
  if (/^sep=.$/i.test(line.trim())) return `the first line names a separator; remove it, and separate cells by commas`;
  const delimiter = knownColumns < 2 ? otherDelimiter(line) : undefined;
  if (delimiter !== undefined) return `the cells are separated by ${delimiter}; commas are read`;
  const unknown = cells.filter((name) => name !== '' && !isFieldName(name));
  if (knownColumns === 0 && unknown.every((name) => fieldSuggestion(name) === '')) {
    return `the first line is no header; ${HOW_TO_START}`;
  }
  if (unknown.length > 0) return unknownFault(unknown);
  const unnamed = cells.indexOf('');
  if (unnamed !== -1) return `the header has no name for column ${unnamed + 1}; name it, or remove the column`;
  const twice = cells.find((name, at) => cells.indexOf(name) !== at);
  if (twice !== undefined) return `the header names the column ${twice} twice`;
  const missing = FLOW_RECORD_FIELDS.filter((name) => !NULLABLE_FIELDS.has(name) && !cells.includes(name));
  if (missing.length === 0) return null;
  return `the header lacks ${missing.join(', ')}: no record can be without ${missing.length > 1 ? 'them' : 'it'}`;
}

function otherDelimiter(line: string): string | undefined {
  const isDelimiter = (delimiter: string) =>
    line.split(delimiter).filter((cell) => isFieldName(cell.trim().replaceAll('"', ''))).length > 1;
  return OTHER_DELIMITERS.find(([delimiter]) => isDelimiter(delimiter))?.[1];
}

function unknownFault(names: readonly string[]): string {
  const shown = names.map((name) => `${JSON.stringify(name.slice(0, 40))}${fieldSuggestion(name)}`).join(', ');
  const plural = names.length > 1 ? 's' : '';
  return `unknown column${plural} ${shown}; rename or remove ${plural ? 'them' : 'it'}: a flow record has no such field`;
}
