import { resolve } from 'node:path';
import { formatFault } from '../formats/document-fault.ts';
import { suggestion } from '../formats/nearest-word.ts';
import { ConfigError } from '../platform/config/config-error.ts';
import { lockDataDirectory } from '../platform/data-directory.ts';
import type { Catalogue } from '../rating/catalogue.ts';
import type { ApprovalContext } from './approve-feed.ts';
import { type FileVersions, type LoadOptions, loadCatalogue } from './catalogue-file.ts';
import { ClaimedPrefixes } from './claimed-prefixes.ts';
import { type EvidenceConfig, readEvidenceConfig } from './evidence-config.ts';
import type { Feed } from './evidence-config-schema.ts';
import { FeedFiles } from './feed-files.ts';

/** The feeds of a configuration, ready to be worked on. */
export interface OpenFeeds {
  config: EvidenceConfig;
  /** Those that were asked for. */
  feeds: readonly Feed[];
  context: ApprovalContext;
  /** Whether the catalogue names a feed's part. */
  isNamed: (feed: Feed) => boolean;
}

/** Reads the configuration and its catalogue. `id`: of the one feed that is meant. Throws a ConfigError with a line for each fault. */
export function openFeeds(configFile: string, id: string | undefined, nowMs: () => number): OpenFeeds {
  const config = readEvidenceConfig(configFile);
  const { catalogue, files: catalogueFiles } = readCatalogueFile(config.catalogue);
  const applications = catalogue.applications.map((application) => application.id);
  const faults = config.feeds
    .filter(({ application }) => !applications.includes(application))
    .map((feed) => {
      const hint = suggestion(feed.application, applications);
      return `${config.file}: feed ${feed.id}: ${config.catalogue} has no application "${feed.application}"${hint}`;
    });
  if (faults.length > 0) throw new ConfigError(faults);
  const files = new FeedFiles(config.directory);
  const ids = config.feeds.map((feed) => feed.id);
  const claimed = new ClaimedPrefixes(config.catalogue, ids, files);
  const named = new Set(Object.keys(catalogueFiles).map((path) => resolve(path)));
  const isNamed = (feed: Feed) => named.has(resolve(files.partPath(feed.id)));
  const context: ApprovalContext = {
    files,
    nowMs,
    needed: config.approvals,
    claimedBeside: (feed) => claimed.beside(feed, nowMs()),
    checkCatalogue: (feed, text) => {
      const copy = claimed.copyOf(feed.id);
      const path = copy ?? files.partPath(feed.id);
      const added = isNamed(feed) || copy !== undefined ? undefined : { application: feed.application, name: path };
      readCatalogueFile(config.catalogue, { replacing: { path, text }, added });
    },
  };
  return { config, feeds: id === undefined ? config.feeds : [feedOf(config, id)], context, isNamed };
}

/** Does work that writes files of feeds while no other process does. Rejects with a DataDirectoryError where one does. */
export async function whileLocked<T>({ config }: OpenFeeds, work: () => Promise<T>): Promise<T> {
  const unlock = await lockDataDirectory({
    path: config.directory,
    owner: 'feeds',
    field: 'directory',
    isShared: true,
  });
  try {
    return await work();
  } finally {
    unlock();
  }
}

function readCatalogueFile(path: string, options?: LoadOptions): { catalogue: Catalogue; files: FileVersions } {
  const loaded = loadCatalogue(path, options);
  if (loaded.faults !== undefined) throw new ConfigError(loaded.faults.map(formatFault));
  return loaded;
}

function feedOf({ feeds, file }: EvidenceConfig, id: string): Feed {
  const feed = feeds.find((each) => each.id === id);
  if (feed !== undefined) return feed;
  const hint = suggestion(
    id,
    feeds.map((each) => each.id),
  );
  throw new ConfigError(`${file}: has no feed "${id}"${hint}`);
}
