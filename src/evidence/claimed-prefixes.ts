import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { formatFault } from '../formats/document-fault.ts';
import { readYamlDocument } from '../formats/read-yaml-document.ts';
import { ConfigError } from '../platform/config/config-error.ts';
import { catalogueSchema } from '../rating/catalogue/catalogue-document.ts';
import { fileVersion, partPath } from './catalogue-file.ts';
import type { ClaimedPrefix } from './claim-conflicts.ts';
import type { FeedFiles } from './feed-files.ts';
import { datedPrefix, type FeedPart, parsePart } from './part-text.ts';

/** The catalogue's own prefixes, and those of parts that are not files of the configured feeds. */
interface CatalogueClaims {
  own: readonly ClaimedPrefix[];
  /** By the feed that a part says it is of: a copy beside the catalogue, or the part of a feed that has left the configuration. */
  parts: ReadonlyMap<string, { path: string; claimed: readonly ClaimedPrefix[] }>;
}

/**
 * What applications claim beside one feed: the catalogue's own prefixes, and the parts of all other feeds, whether the catalogue names
 * them already or not. A feed that has left the configuration counts as long as its part is there.
 */
export class ClaimedPrefixes {
  readonly #catalogue: string;
  readonly #feeds: readonly string[];
  readonly #files: FeedFiles;
  #ofCatalogue: CatalogueClaims | null = null;
  /** By feed, with the version of the file that it was read from. */
  readonly #ofParts = new Map<string, { version: string; claimed: readonly ClaimedPrefix[] | null }>();

  /** `catalogue`: path of a catalogue without faults. `feeds`: those of the configuration. */
  constructor(catalogue: string, feeds: readonly string[], files: FeedFiles) {
    this.#catalogue = catalogue;
    this.#feeds = feeds;
    this.#files = files;
  }

  /** Resolves with what is claimed beside a feed and has not ended. Rejects with a ConfigError. */
  async beside(feed: string, nowMs: number): Promise<ClaimedPrefix[]> {
    const { own, parts } = this.#readCatalogue();
    const logged = (await this.#files.readLog()).map((change) => change.feed);
    const ids = new Set([...this.#feeds, ...logged]);
    const claimed = [own];
    for (const id of ids)
      if (id !== feed) claimed.push((await this.#claimedByPart(id)) ?? parts.get(id)?.claimed ?? []);
    for (const [id, part] of parts) if (id !== feed && !ids.has(id)) claimed.push(part.claimed);
    return claimed.flat().filter(({ toMs }) => toMs > nowMs);
  }

  /** Returns the path of a copy of a feed's part that the catalogue names in place of it; undefined where it names none. */
  copyOf(feed: string): string | undefined {
    return this.#readCatalogue().parts.get(feed)?.path;
  }

  #readCatalogue(): CatalogueClaims {
    const ownFiles = new Set(this.#feeds.map((id) => this.#files.partPath(id)));
    this.#ofCatalogue ??= readClaims(this.#catalogue, ownFiles);
    return this.#ofCatalogue;
  }

  /** Resolves with null for a feed without a part. */
  async #claimedByPart(feed: string): Promise<readonly ClaimedPrefix[] | null> {
    const version = await fileVersion(this.#files.partPath(feed));
    const known = this.#ofParts.get(feed);
    if (known?.version === version) return known.claimed;
    const part = await this.#files.readPart(feed);
    const claimed = part === null ? null : claimsOf(part.value, feed);
    this.#ofParts.set(feed, { version, claimed });
    return claimed;
  }
}

function readClaims(catalogue: string, feedParts: ReadonlySet<string>): CatalogueClaims {
  const read = readYamlDocument(readFileSync(catalogue, 'utf8'), catalogue, catalogueSchema);
  if (read.faults !== undefined) throw new ConfigError(read.faults.map(formatFault));
  const { applications } = read.value;
  const own = applications.flatMap(({ id, prefixes }) =>
    prefixes.map((prefix) => ({ ...datedPrefix(prefix, catalogue), application: id, feed: null })),
  );
  const paths = applications.flatMap(({ prefixFiles = [] }) =>
    prefixFiles.map((name) => resolve(partPath(catalogue, name))),
  );
  const parts = new Map<string, { path: string; claimed: readonly ClaimedPrefix[] }>();
  for (const path of paths.filter((each) => !feedParts.has(each))) {
    const part = parsePart(readFileSync(path, 'utf8'), path);
    const before = parts.get(part.feed)?.claimed ?? [];
    parts.set(part.feed, { path, claimed: [...before, ...claimsOf(part, part.feed)] });
  }
  return { own, parts };
}

function claimsOf({ application, prefixes }: FeedPart, feed: string): ClaimedPrefix[] {
  return prefixes.map((dated) => ({ ...dated, application, feed }));
}
