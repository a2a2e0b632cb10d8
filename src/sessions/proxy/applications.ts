import { lookup } from 'node:dns/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { SESSION_CONTENT_TYPES, type SessionContentType } from '../protocol/content-octets.ts';
import type { ProxyRefusal } from '../protocol/refusal.ts';
import { canonicalIp, isPrivate, Networks } from './private-address.ts';
import type { ApplicationDocument } from './proxy-config-schema.ts';

/** Gives all addresses of a name. Rejects when it has none. */
export type Resolve = (host: string) => Promise<string[]>;

export const resolveBySystem: Resolve = async (host) =>
  (await lookup(host, { all: true, verbatim: true })).map(({ address }) => address);

export interface ApplicationOptions {
  resolve: Resolve;
  /** A name that takes longer counts as unknown. */
  resolveMs: number;
}

/** Where a tunnel may go: addresses that were looked at, so that what is dialled is what was allowed. */
export interface AllowedDestination {
  addresses: string[];
  port: number;
}

type Host = ApplicationDocument['hosts'][number];

/** An application as the proxy serves it: where its tunnels may go, and what they carry. */
export class ServedApplication {
  readonly applicationId: string;
  readonly zeroRatingTag: string | null;
  readonly relayUpstream: string | null;
  /** Whether its terminals may send session tags. */
  readonly takesSessionTags: boolean;
  /** Whether a connection without a session tag is in no way identified as the sponsor's. */
  readonly needsSessionTags: boolean;
  readonly #hosts: readonly Host[];
  readonly #allowed: Networks;
  readonly #options: ApplicationOptions;

  constructor(document: ApplicationDocument, options: ApplicationOptions) {
    this.applicationId = document.applicationId;
    this.zeroRatingTag = document.zeroRatingTag ?? null;
    this.relayUpstream = document.relayUpstream ?? null;
    const { identifiedBy = [] } = document;
    this.takesSessionTags = identifiedBy.includes('terminal_tag');
    this.needsSessionTags = this.takesSessionTags && !identifiedBy.includes('proxy_mark');
    this.#hosts = document.hosts;
    this.#allowed = new Networks(document.allowPrivate);
    this.#options = options;
  }

  /** What a tunnel or a call to there carries; null when the application has no such host. */
  contentTypeOf(host: string, port: number, protocol: Host['protocol'] = 'tcp'): SessionContentType | null {
    const name = nameOf(host);
    const hosts = this.#hosts.filter((entry) => entry.protocol === protocol && entry.ports.includes(port));
    const found =
      hosts.find((entry) => entry.host === name) ??
      hosts.find((entry) => entry.host.startsWith('*.') && name.endsWith(entry.host.slice(1)));
    return found?.contentType ?? null;
  }

  /** Resolves the host once. A name with one private address among its addresses is refused as a whole. */
  async destinationOf(
    host: string,
    port: number,
  ): Promise<AllowedDestination | { refusal: ProxyRefusal; detail: string }> {
    const name = nameOf(host);
    const literal = canonicalIp(name);
    let addresses: string[];
    try {
      addresses = literal === null ? await this.#resolve(name) : [literal];
    } catch (error) {
      return { refusal: 'upstream_failed', detail: (error as Error).message };
    }
    if (addresses.length === 0) return { refusal: 'upstream_failed', detail: `${name} has no address` };
    if (addresses.some((address) => isPrivate(address, this.#allowed))) {
      return { refusal: 'private_destination', detail: `${name} is at a private address` };
    }
    return { addresses, port };
  }

  async #resolve(name: string): Promise<string[]> {
    const { resolve, resolveMs } = this.#options;
    const cancel = new AbortController();
    const late = pause(resolveMs, undefined, { signal: cancel.signal }).then(() => {
      throw new Error(`${name} could not be resolved within ${resolveMs} ms`);
    });
    try {
      return await Promise.race([resolve(name), late]);
    } finally {
      cancel.abort();
      late.catch(() => {});
    }
  }
}

/** As the configuration writes hosts: small letters, no dot behind, no brackets around an address. */
function nameOf(host: string): string {
  const name = host
    .toLowerCase()
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/\.$/, '');
  return canonicalIp(name) ?? name;
}

export function typeIndex(contentType: SessionContentType): number {
  return SESSION_CONTENT_TYPES.indexOf(contentType);
}
