import { decodeJson } from '../../rating/decode/decode-json.ts';
import { type FlowFile, listFlowFiles, openOctets } from '../files/flow-file.ts';
import { flowFileError } from '../files/flow-file-error.ts';
import { readLines } from '../files/line-reader.ts';
import { exporterOf, isFlowType, unsigned } from './goflow2-flow.ts';

/** Any rate but 0, 1 and null, in whatever notation. Only lines with one are parsed. */
const OTHER_RATE = /"sampling_rate"\s*:\s*(?!(?:"?[01]"?|null)\s*[,}])/;
/** A longer line is no flow. */
const LINE_OCTETS = 64 << 10;

/** Exporters that sample, by `exporterOf`. */
export type SampledExporters = () => Promise<ReadonlySet<string>>;

/**
 * Finds the exporters that give a sampling rate above 1, or one that cannot be read, anywhere in these files of goflow2.
 * A rate is announced in an options template, which may come after the first flows that it is true of; so all files are
 * read for it, once, before the first flow is. Rejects with a SourceError.
 */
export function sampledExporters(paths: readonly string[]): SampledExporters {
  let found: Promise<ReadonlySet<string>> | null = null;
  return () => {
    found ??= scanFiles(paths);
    return found;
  };
}

async function scanFiles(paths: readonly string[]): Promise<ReadonlySet<string>> {
  const sampled = new Set<string>();
  for (const file of await listFlowFiles(paths, 'goflow2')) await scanFile(file, sampled);
  return sampled;
}

async function scanFile(file: FlowFile, sampled: Set<string>): Promise<void> {
  const { octets } = openOctets(file);
  try {
    for await (const lines of readLines(octets, LINE_OCTETS)) {
      for (const { value } of lines) {
        if (!OTHER_RATE.test(value.toString('latin1'))) continue;
        const flow = decodeJson(value).candidate;
        const exporter = flow === undefined ? undefined : exporterOf(flow);
        if (exporter !== undefined && isFlowType(flow?.type) && isSampled(flow?.sampling_rate)) sampled.add(exporter);
      }
    }
  } catch (cause) {
    throw flowFileError(file.path, cause);
  } finally {
    octets.destroy();
  }
}

function isSampled(rate: unknown): boolean {
  return ![undefined, null, 0, 1].includes(unsigned(rate) as undefined);
}
