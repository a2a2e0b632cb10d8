import { readConfigDocument } from '../platform/config/config-document.ts';
import { resolveTls } from '../platform/config/tls-schema.ts';
import { type EvidenceDocument, evidenceConfigSchema, type Feed } from './evidence-config-schema.ts';

/** `evidence.yaml`, its paths absolute. */
export interface EvidenceConfig extends EvidenceDocument {
  /** The file's name, as the user gave it. */
  file: string;
}

/** Reads `evidence.yaml`. Throws a ConfigError with a line for each fault. */
export function readEvidenceConfig(file: string): EvidenceConfig {
  const { value, resolve, refuse } = readConfigDocument(file, evidenceConfigSchema);
  const faults = value.feeds.flatMap(({ id }, i) =>
    value.feeds.findIndex((feed) => feed.id === id) === i
      ? []
      : [{ path: ['feeds', i, 'id'], message: `${id} is the id of an earlier feed, too: each has its own` }],
  );
  refuse(faults);
  return {
    ...value,
    file,
    catalogue: resolve(value.catalogue),
    directory: resolve(value.directory),
    sharedClouds: value.sharedClouds.map(resolve),
    feeds: value.feeds.map((feed): Feed => ({ ...feed, source: absolute(feed.source, resolve) })),
  };
}

function absolute({ file, tls, ...rest }: Feed['source'], resolve: (path: string) => string): Feed['source'] {
  return {
    ...rest,
    ...(file !== undefined && { file: resolve(file) }),
    ...(tls !== undefined && { tls: resolveTls(tls, resolve) }),
  };
}
