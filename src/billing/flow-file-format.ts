/** Formats of files of flow records, of CDRs (TS 32.297) that they are cut out of, and of flows as goflow2 writes them. */
export const FLOW_FILE_FORMATS = ['ndjson', 'csv', 'avro', 'cdr', 'goflow2'] as const;
export type FlowFileFormat = (typeof FLOW_FILE_FORMATS)[number];

const FORMAT_OF_ENDING: Readonly<Record<string, FlowFileFormat>> = {
  '.ndjson': 'ndjson',
  '.jsonl': 'ndjson',
  '.json': 'ndjson',
  '.csv': 'csv',
  '.avro': 'avro',
  '.cdr': 'cdr',
};

/** For messages: the endings that name a format. */
export const FLOW_FILE_ENDINGS = `${Object.keys(FORMAT_OF_ENDING).join(', ')} (each also .gz)`;

/** The format that a file's name says, with or without `.gz`; null if it says none. */
export function flowFileFormatOf(name: string): FlowFileFormat | null {
  const ending = /\.[^./]*$/.exec(name.replace(/\.gz$/, ''))?.[0] ?? '';
  return FORMAT_OF_ENDING[ending] ?? null;
}
