import { fileOptions, plainFiles } from '../../engine/assembly/assemble-source.ts';
import { kafkaDecoder, registryOptions } from '../../engine/assembly/flow-decoder.ts';
import { clientOptions } from '../../engine/assembly/kafka-connection.ts';
import { type ConfigOptions, readConfig } from '../../engine/assembly/read-config.ts';
import { limitsOfToday } from '../../engine/running/record-rules.ts';
import { storeCertificates } from '../../journal/open-store.ts';
import { type Config, redacted } from '../../platform/config/config.ts';
import { checkBeginnings } from '../../sources/files/file-beginning.ts';
import { listFlowFiles } from '../../sources/files/flow-file.ts';
import { describeFile } from './describe-file.ts';

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
export function checkConfig(options: ConfigOptions & { show?: boolean }): string | undefined {
  if (options.config === undefined && options.store === undefined) return undefined;
  const config = readConfig(options);
  checkConnections(config);
  if (options.show === true) process.stdout.write(`${JSON.stringify(redacted(config), null, 2)}\n`);
  return config.catalogue;
}

/** Schemas and certificates are read, and nothing is connected. */
function checkConnections({ source: { kafka }, store }: Config): void {
  if (store.url !== undefined) storeCertificates(store);
  if (kafka === undefined) return;
  kafkaDecoder(kafka);
  clientOptions(kafka);
  if (kafka.avro.registry !== null) registryOptions(kafka.avro.registry);
}
