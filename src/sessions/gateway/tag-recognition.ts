import { systemClock } from '../../platform/clock.ts';
import type { Logger } from '../../platform/telemetry/logger.ts';
import { ProblemLog } from '../../platform/telemetry/problem-log.ts';
import { TagKeys } from '../protocol/tag-keys.ts';
import type { GatewayDocument, RegisteredProxy } from './gateway-config.ts';
import type { GatewayStatus } from './gateway-metrics.ts';
import { TerminalTags } from './terminal-tags.ts';

const KEYS_TIMEOUT_MS = 5000;

export interface TagRecognitionOptions {
  /** Looked up with each tag, as they may change. */
  proxies: () => readonly RegisteredProxy[];
  nowMs: () => number;
  logger: Logger;
}

/** Recognition of terminals' tags with the keys that it needs; does nothing where the configuration has no `terminalTags`. */
export class TagRecognition {
  readonly terminalTags: TerminalTags | null = null;
  readonly #keys: TagKeys | null = null;

  constructor(config: GatewayDocument['terminalTags'] | null, { proxies, nowMs, logger }: TagRecognitionOptions) {
    if (config === null || config === undefined) return;
    this.#keys = new TagKeys(keysOptions(config.jwksUrl, logger));
    this.terminalTags = new TerminalTags({ ...config, proxies, findKey: this.#keys.find, nowMs });
  }

  status(): Pick<GatewayStatus, 'terminalTags' | 'tagKeysReachable'> {
    return {
      terminalTags: this.terminalTags?.counts() ?? null,
      tagKeysReachable: this.#keys?.areReachable ?? null,
    };
  }

  /** Resolves when the keys have been asked for once, whether they were fetched or not. */
  async start(): Promise<void> {
    await this.#keys?.start();
  }

  stop(): void {
    this.#keys?.stop();
  }
}

function keysOptions(jwksUrl: string, logger: Logger) {
  const problems = new ProblemLog('tagKeys', logger);
  return {
    clock: systemClock,
    async fetch(): Promise<unknown> {
      const response = await fetch(jwksUrl, { signal: AbortSignal.timeout(KEYS_TIMEOUT_MS), redirect: 'error' });
      if (!response.ok) throw new Error(`it answers ${response.status}`);
      const keySet: unknown = await response.json();
      problems.over('the dispatch server’s keys can be fetched again');
      return keySet;
    },
    onFailure(error: Error) {
      const { cause } = error;
      const problem = `${jwksUrl}: ${cause instanceof Error ? cause.message : error.message}`;
      const message =
        'the dispatch server’s keys cannot be fetched: traffic with a tag of an unknown key stays untagged';
      problems.report(problem, message);
    },
  };
}
