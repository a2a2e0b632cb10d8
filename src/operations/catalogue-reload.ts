import { readFile, stat } from 'node:fs/promises';
import type { Catalogue } from '../billing/catalogue.ts';
import { parseCatalogue } from '../billing/catalogue-compile.ts';
import { type CountedPlans, countedPlans } from '../billing/catalogue-succession-faults.ts';
import type { Clock } from '../platform/clock.ts';
import { formatFault } from '../yaml-document/document-fault.ts';
import type { ReloadOutcome } from './catalogue-metrics.ts';

/** A line of the log is read by people: more faults than these `check` lists. */
const SHOWN_FAULTS = 20;

export interface CatalogueReloadOptions {
  path: string;
  /** The one that the engine begins with. */
  catalogue: Catalogue;
  /** How often the file is looked at; 0: only when `reload` is called. */
  everyMs: number;
  /** Resolves when the next batches are rated with it, and it is kept in the store. Rejects when it could not be kept. */
  take: (catalogue: Catalogue) => Promise<void>;
  onReloaded: (outcome: ReloadOutcome) => void;
  clock: Pick<Clock, 'after'>;
  logger: Record<'info' | 'error', (fields: object, message: string) => void>;
}

/**
 * Lets a running engine go on with another version of its catalogue file. A version with faults, or one under which a plan
 * would count otherwise than it has until now, is refused: the log says why, and the engine goes on as before. Inert until
 * `start`.
 */
export class CatalogueReload {
  readonly #options: CatalogueReloadOptions;
  #current: Catalogue;
  /** Of every catalogue since the start: a plan that was dropped meanwhile still has its counters. */
  #counted: CountedPlans;
  #seen = '';
  #disarm: (() => void) | null = null;
  #isStopped = false;
  #turn: Promise<void> = Promise.resolve();

  constructor(options: CatalogueReloadOptions) {
    this.#options = options;
    this.#current = options.catalogue;
    this.#counted = countedPlans(options.catalogue);
  }

  start(): void {
    const { everyMs, clock } = this.#options;
    if (everyMs === 0 || this.#isStopped) return;
    this.#disarm = clock.after(everyMs, () => void this.#look().then(() => this.start()));
  }

  /** Resolves when no reload is under way, and none will be. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#disarm?.();
    await this.#turn;
  }

  /** Reads the file and takes it over if it may. Never rejects. */
  reload(): Promise<void> {
    this.#turn = this.#turn.then(async () => {
      if (this.#isStopped) return;
      this.#options.onReloaded(await this.#reloaded());
    });
    return this.#turn;
  }

  /** A file that is another one than at the last look is read. One that could not be kept is tried again. */
  async #look(): Promise<void> {
    const { path } = this.#options;
    const found = await stat(path).then(
      ({ mtimeMs, size, ino }) => `${mtimeMs} ${size} ${ino}`,
      (error: NodeJS.ErrnoException) => String(error.code),
    );
    if (found === this.#seen) return;
    this.#seen = found;
    await this.reload();
  }

  async #reloaded(): Promise<ReloadOutcome> {
    const { path, take, logger } = this.#options;
    const kept = this.#current.hash;
    const text = await readFile(path, 'utf8').catch((error: Error) => error);
    if (text instanceof Error) return this.#refused([`${path}: cannot be read: ${text.message}`]);
    const { catalogue, faults } = parseCatalogue(text, path, this.#counted);
    if (faults !== undefined) return this.#refused(faults.map(formatFault));
    if (catalogue.hash === kept) {
      logger.info({ catalogue: kept }, 'the catalogue is as it was');
      return 'unchanged';
    }
    try {
      await take(catalogue);
    } catch (error) {
      this.#seen = '';
      logger.error({ err: error, catalogue: kept }, `${path}: was not taken over: it could not be kept in the store`);
      return 'failed';
    }
    this.#current = catalogue;
    this.#counted = new Map([...this.#counted, ...countedPlans(catalogue)]);
    logger.info({ catalogue: catalogue.hash, before: kept }, 'the next batches are rated with another catalogue');
    return 'taken';
  }

  #refused(faults: readonly string[]): ReloadOutcome {
    const { logger } = this.#options;
    const rest = faults.length > 1 ? ` (and ${faults.length - 1} more)` : '';
    logger.error(
      { catalogue: this.#current.hash, faults: faults.slice(0, SHOWN_FAULTS) },
      `the catalogue was not taken over, the one before stays: ${faults[0]}${rest}`,
    );
    return 'refused';
  }
}
