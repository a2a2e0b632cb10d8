/** Formats of files of flow records, of CDRs (TS 32.297) that they are cut out of, and of flows as goflow2 writes them. */
const FLOW_FILE_FORMATS = ['ndjson', 'csv', 'avro', 'cdr', 'goflow2'] as const;
export type FlowFileFormat = (typeof FLOW_FILE_FORMATS)[number];

const FORMAT_OF_ENDING: Readonly<Record<string, FlowFileFormat>> = {
  '.ndjson': 'ndjson',
  '.jsonl': 'ndjson',
  '.json': 'ndjson',
  '.csv': 'csv',
  '.avro': 'avro',
  '.cdr': 'cdr',
};

const GZIP = /\.gz$/i;
const OTHER_PACKINGS = /\.(zst|zstd|bz2|xz|lz4|lzo|z|zip|7z|br|snappy)$/i;

/** For messages: the endings that name a format. */
export const FLOW_FILE_ENDINGS = `${Object.keys(FORMAT_OF_ENDING).join(', ')} (each also .gz)`;

/** The format that a file's name says, with or without `.gz`, in small or capital letters; null if it says none. */
export function flowFileFormatOf(name: string): FlowFileFormat | null {
  const ending = /\.[^./]*$/.exec(name.replace(GZIP, ''))?.[0] ?? '';
  return FORMAT_OF_ENDING[ending.toLowerCase()] ?? null;
}

export function isGzipName(name: string): boolean {
  return GZIP.test(name);
}

/** Whether a name is a flow file's with the ending of a packing that is not read: `flows.csv.zst`. */
export function isOtherwisePacked(name: string): boolean {
  return OTHER_PACKINGS.test(name) && flowFileFormatOf(name.replace(OTHER_PACKINGS, '')) !== null;
}
