import { readFileSync } from 'node:fs';
import { readCatalogue, readStoreConfig } from '../../engine/assembly/read-config.ts';
import { type CatalogueWarning, catalogueWarnings, type EvidenceUse } from '../../evidence/catalogue-warnings.ts';
import { readChargedEvidence } from '../../evidence/charged-evidence.ts';
import { openFeeds } from '../../evidence/open-feeds.ts';
import { readSharedClouds } from '../../evidence/shared-clouds.ts';
import { formatFault, formatPath } from '../../formats/document-fault.ts';
import { parseYaml } from '../../formats/parse-yaml.ts';
import { ConfigError } from '../../platform/config/config-error.ts';
import { counted, grouped } from '../../platform/telemetry/terminal-output.ts';
import type { Catalogue } from '../../rating/catalogue.ts';

/** Most warnings of one code that are written; the last line says how many more there are. */
const MAX_WARNINGS = 20;
const STRICT_EXIT_CODE = 2;

export interface CatalogueCheck {
  config?: string;
  store?: string;
  sharedClouds?: string[];
  unmatchedDays?: number;
  strict?: boolean;
}

/** Reads `evidence.yaml` and says what it holds. Gives its catalogue, which is valid, and its lists of shared clouds. */
export function checkEvidence(file: string): { path: string; sharedClouds: string[] } {
  const { config, feeds } = openFeeds(file, undefined, Date.now);
  process.stdout.write(`${file}: ${counted(feeds.length, 'feed')}, approvals: ${config.approvals}; good\n`);
  return { path: config.catalogue, sharedClouds: config.sharedClouds };
}

/** Prints a line about a valid catalogue, and its warnings to standard error. Resolves with the catalogue; rejects with a ConfigError where there are faults. */
export async function checkCatalogue(path: string, options: CatalogueCheck): Promise<Catalogue> {
  const catalogue = readCatalogue(path);
  const { sponsors, applications, plans, hash } = catalogue;
  const prefixes = applications.reduce((sum, application) => sum + application.prefixes.length, 0);
  process.stdout.write(
    `${path}: ${sponsors.length} sponsors, ${applications.length} applications, ${grouped(prefixes)} prefixes, ` +
      `${plans.length} plans; catalogue ${hash.slice(0, 12)} is good\n`,
  );
  const sharedClouds = readSharedClouds(options.sharedClouds ?? []);
  const use = options.unmatchedDays === undefined ? null : await readUse(options.unmatchedDays, options);
  const warnings = catalogueWarnings(catalogue, { nowMs: Date.now(), sharedClouds, use });
  writeWarnings(path, warnings);
  if (options.strict === true && warnings.length > 0) process.exitCode = STRICT_EXIT_CODE;
  return catalogue;
}

async function readUse(days: number, options: CatalogueCheck): Promise<EvidenceUse> {
  if (options.store === undefined && options.config === undefined) {
    throw new ConfigError('--unmatched-days needs a store: name it with --store DIRECTORY or --config FILE');
  }
  const { openStore } = await import('../../journal/open-store.ts');
  const store = await openStore(readStoreConfig(options), { create: false });
  try {
    return { days, charged: await readChargedEvidence(store) };
  } finally {
    await store.close();
  }
}

/** With the line of each: the file is read once more for them. */
function writeWarnings(path: string, warnings: readonly CatalogueWarning[]): void {
  if (warnings.length === 0) return;
  const { locate } = parseYaml(readFileSync(path, 'utf8'), path);
  for (const code of new Set(warnings.map((warning) => warning.code))) {
    const ofCode = warnings.filter((warning) => warning.code === code);
    for (const { path: place, message } of ofCode.slice(0, MAX_WARNINGS)) {
      const line = place.length === 0 ? null : (locate?.(place).line ?? null);
      const text = formatFault({ file: path, line, path: formatPath(place), message: `${message} (${code})` });
      process.stderr.write(`WARNING: ${text}\n`);
    }
    const more = ofCode.length - MAX_WARNINGS;
    if (more > 0) process.stderr.write(`WARNING: ${path}: and ${grouped(more)} more of ${code}\n`);
  }
}
