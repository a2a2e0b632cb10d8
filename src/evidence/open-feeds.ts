import { resolve } from 'node:path';
import { formatFault } from '../formats/document-fault.ts';
import { suggestion } from '../formats/nearest-word.ts';
import { ConfigError } from '../platform/config/config-error.ts';
import { lockDataDirectory } from '../platform/data-directory.ts';
import type { Catalogue } from '../rating/catalogue.ts';
import { type Claimed, claimText, conditionsOf } from '../rating/claims.ts';
import { type Cidr, parseCidr } from '../rating/ip-address.ts';
import type { ApprovalContext } from './approve-feed.ts';
import { type FileVersions, loadCatalogue } from './catalogue-file.ts';
import { type EvidenceConfig, readEvidenceConfig } from './evidence-config.ts';
import type { Feed } from './evidence-config-schema.ts';
import { FeedFiles } from './feed-files.ts';
import type { ClaimedPrefix } from './feed-guards.ts';
import { prefixText } from './prefix-text.ts';

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
  const context: ApprovalContext = {
    files,
    nowMs,
    needed: config.approvals,
    claimedByOthers: (application) => claimedByOthers(catalogue, application, nowMs()),
    checkCatalogue: (path, text) => void readCatalogueFile(config.catalogue, { path, text }),
  };
  const named = new Set(Object.keys(catalogueFiles).map((path) => resolve(path)));
  return {
    config,
    feeds: id === undefined ? config.feeds : [feedOf(config, id)],
    context,
    isNamed: (feed) => named.has(resolve(files.partPath(feed.id))),
  };
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

function readCatalogueFile(
  path: string,
  replacing?: { path: string; text: string },
): { catalogue: Catalogue; files: FileVersions } {
  const loaded = loadCatalogue(path, replacing && { replacing });
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

function claimedByOthers({ applications }: Catalogue, application: string, nowMs: number): ClaimedPrefix[] {
  const hasEnded = (claimed: Claimed) => (conditionsOf(claimed)?.toMs ?? Number.POSITIVE_INFINITY) <= nowMs;
  return applications
    .filter(({ id }) => id !== application)
    .flatMap(({ id, prefixes }) =>
      prefixes.filter((claimed) => !hasEnded(claimed)).map((claimed) => ({ prefix: textOf(claimed), application: id })),
    );
}

function textOf(claimed: Claimed): string {
  return prefixText({ network: parseCidr(claimText(claimed)) as Cidr, flow: conditionsOf(claimed)?.flow });
}
