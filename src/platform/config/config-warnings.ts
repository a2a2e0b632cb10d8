import { type DocumentFault, formatFault } from '../../formats/document-fault.ts';

const written = new Set<string>();

/** Writes each warning of a configuration to standard error, once in a process: a configuration is read again at every reload. */
export function writeConfigWarnings(warnings: readonly DocumentFault[]): void {
  for (const line of warnings.map(formatFault)) {
    if (written.has(line)) continue;
    written.add(line);
    process.stderr.write(`WARNING: ${line}\n`);
  }
}
