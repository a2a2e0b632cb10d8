import { fileOptions, plainFiles } from '../../engine/assembly/assemble-source.ts';
import { kafkaDecoder, registryOptions } from '../../engine/assembly/flow-decoder.ts';
import { clientOptions } from '../../engine/assembly/kafka-connection.ts';
import { type ConfigOptions, readConfig } from '../../engine/assembly/read-config.ts';
import { limitsOfToday } from '../../engine/running/record-rules.ts';
import { storeCertificates } from '../../journal/open-store.ts';
import { type Config, type FilesConfig, redacted } from '../../platform/config/config.ts';
import { counted, grouped } from '../../platform/telemetry/terminal-output.ts';
import type { Catalogue } from '../../rating/catalogue.ts';
import { readRecord } from '../../rating/pipeline.ts';
import type { RecordLimits } from '../../rating/record/record-limits.ts';
import { checkBeginnings } from '../../sources/files/file-beginning.ts';
import { type FlowFile, listFlowFiles } from '../../sources/files/flow-file.ts';
import { type FlowFileOptions, openFlowFile } from '../../sources/files/open-flow-file.ts';

const CDR_FILE = /\.cdr(\.gz)?$/i;

/** Prints a line for each file: what is in it. */
export async function checkFiles(paths: readonly string[], options: ConfigOptions): Promise<void> {
  const files = options.config === undefined ? plainFiles(options) : readConfig(options);
  const reading = fileOptions(files, paths, options.format);
  const flowFiles = await listFlowFiles(paths, options.format);
  await checkBeginnings(flowFiles);
  for (const file of flowFiles) {
    process.stdout.write(`${await describeFile(file, reading, limitsOfToday(files))}\n`);
  }
}

/** Reads the configuration that the options name and all files that it names; gives its catalogue, which is not read. */
export function checkConfig(options: ConfigOptions & { show?: boolean }): string {
  const config = readConfig(options);
  checkConnections(config);
  if (options.show === true) process.stdout.write(`${JSON.stringify(redacted(config), null, 2)}\n`);
  return config.catalogue;
}

/** Prints a line for each plan with conditions that records of CDRs cannot fulfil, as the configuration leaves the fields out. */
export function warnOfMissingFields(options: ConfigOptions, { plans }: Catalogue): void {
  const { files, format, cdr } = filesOf(options);
  const isOfCdrs = files !== undefined && (format === 'cdr' || files.some((path) => CDR_FILE.test(path)));
  if (!isOfCdrs || cdr?.network === true) return;
  for (const { id, version } of plans.filter(({ network }) => network !== null)) {
    process.stdout.write(
      `warning: plan ${id} version ${version} has conditions on where the terminal was, which CDRs do not fulfil without source.cdr.network: true\n`,
    );
  }
}

/** Returns the files that a configuration names, or the options alone, and how they are read. */
function filesOf(options: ConfigOptions): Partial<Pick<FilesConfig, 'files' | 'format' | 'cdr'>> {
  if (options.config === undefined) {
    const { source = [], format } = options;
    return { files: source, ...(format !== undefined && { format }) };
  }
  const { source } = readConfig(options);
  return source.files === undefined ? {} : source;
}

/** Schemas and certificates are read, and nothing is connected. */
function checkConnections({ source: { kafka }, store }: Config): void {
  if (store.url !== undefined) storeCertificates(store);
  if (kafka === undefined) return;
  kafkaDecoder(kafka);
  clientOptions(kafka);
  if (kafka.avro.registry !== null) registryOptions(kafka.avro.registry);
}

/** Reads a file to its end and says in a line what it holds. Throws the SourceError of one that cannot be read. */
async function describeFile(file: FlowFile, options: FlowFileOptions, limits: RecordLimits): Promise<string> {
  const { batches, decode, about, close } = await openFlowFile(file, options);
  let records = 0;
  const faults = new Map<string, number>();
  try {
    for await (const batch of batches) {
      for (const { value, oversizedOctets } of batch) {
        records += 1;
        const record = readRecord({ value, oversizedOctets }, decode, limits);
        if ('reason' in record) faults.set(record.reason, (faults.get(record.reason) ?? 0) + 1);
      }
    }
  } finally {
    close();
  }
  const reasons = [...faults].map(([reason, count]) => `${grouped(count)} ${reason}`).join(', ');
  const rejected = reasons === '' ? 'all of them can be rated' : `to be rejected: ${reasons}`;
  return `${file.path}: ${about === undefined ? '' : `${about}; `}${counted(records, 'record')}, ${rejected}`;
}
