import { type FileVersions, fileVersion } from '../../evidence/catalogue-file.ts';
import { otherCurrencies } from '../../journal/account-currencies.ts';
import type { Clock } from '../../platform/clock.ts';
import type { CatalogueTerms } from '../../rating/catalogue.ts';
import type { ReloadOutcome } from '../metrics/catalogue-metrics.ts';
import type { CompileCatalogue, PackedCounts } from './compile-catalogue.ts';

/** Most faults in one log line; `check` lists more. */
const SHOWN_FAULTS = 20;
const RATED = 'the next batches are rated with another catalogue';

/** What a reload asks of a catalogue, in whatever form it is. */
type NamedCatalogue = Pick<CatalogueTerms, 'hash' | 'sponsors'>;

export interface CatalogueReloadOptions<C> {
  path: string;
  /** The initial one. */
  catalogue: NamedCatalogue;
  /** Of the initial catalogue, as `packCounts` gives it. */
  counted: PackedCounts;
  /** Interval of checks for a changed file, the catalogue’s or a part’s; 0: only when `reload` is called. */
  reloadIntervalMs: number;
  /** Reads and compiles the file. Never rejects. */
  compile: CompileCatalogue<C>;
  /** Returns why the store's accounts cannot continue with a catalogue; absent: they always can. */
  refusals?: (catalogue: C) => Promise<readonly string[]>;
  /**
   * Resolves when the next batches are rated with it, and it is kept in the store. Rejects when the store did not keep it.
   */
  take: (catalogue: C) => Promise<void>;
  /** Of the log line when another catalogue is in use. */
  takenMessage?: string;
  onReloaded: (outcome: ReloadOutcome) => void;
  clock: Pick<Clock, 'after'>;
  logger: Record<'info' | 'error', (fields: object, message: string) => void>;
}

/**
 * Lets a running engine continue with another version of its catalogue file. A version with faults, or one under which a
 * plan would count otherwise than before, is refused: the reasons are logged, and the engine keeps its catalogue. Inert
 * until `start`.
 */
export class CatalogueReload<C extends NamedCatalogue> {
  readonly #options: CatalogueReloadOptions<C>;
  #hash: string;
  /** Of every catalogue since the start: a plan that was dropped in between still has its counters. */
  #counted: PackedCounts;
  /** By sponsor, of every catalogue since the start: charges in it may be under way to the store. */
  #currencies: ReadonlyMap<string, readonly string[]>;
  /** The catalogue's file and its parts at the last look; none: every look finds a change. */
  #seen: FileVersions = {};
  #disarm: (() => void) | null = null;
  readonly #stopping = new AbortController();
  #turn: Promise<void> = Promise.resolve();

  constructor(options: CatalogueReloadOptions<C>) {
    this.#options = options;
    this.#hash = options.catalogue.hash;
    this.#counted = options.counted;
    this.#currencies = currenciesOf(options.catalogue);
  }

  start(): void {
    const { reloadIntervalMs, clock } = this.#options;
    if (reloadIntervalMs === 0 || this.#stopping.signal.aborted) return;
    this.#disarm = clock.after(reloadIntervalMs, () => void this.#look().then(() => this.start()));
  }

  /** Resolves when no reload is running, and none will start. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#disarm?.();
    await this.#turn;
  }

  /** Reads the file and takes it over if it is valid. Never rejects. */
  reload(): Promise<void> {
    this.#turn = this.#turn.then(async () => {
      if (this.#stopping.signal.aborted) return;
      const outcome = await this.#reloaded();
      if (outcome !== null) this.#options.onReloaded(outcome);
    });
    return this.#turn;
  }

  /** Reads files of which one has changed since the last look. A catalogue that the store did not keep is tried again. */
  async #look(): Promise<void> {
    const paths = [this.#options.path, ...Object.keys(this.#seen)];
    const found = Object.fromEntries(
      await Promise.all(paths.map(async (path) => [path, await fileVersion(path)] as const)),
    );
    if (Object.entries(found).every(([path, version]) => this.#seen[path] === version)) return;
    this.#seen = found;
    await this.reload();
  }

  /** Resolves with null when `stop` has ended it. */
  async #reloaded(): Promise<ReloadOutcome | null> {
    const { path, compile, take, takenMessage = RATED, logger } = this.#options;
    const kept = this.#hash;
    const compiled = await compile(path, this.#counted, this.#stopping.signal);
    if (this.#stopping.signal.aborted) return null;
    this.#seen = compiled.files ?? this.#seen;
    if (compiled.faults !== undefined) return this.#refused(compiled.faults);
    const { catalogue, counted } = compiled;
    if (catalogue.hash === kept) {
      logger.info({ catalogue: kept }, 'the catalogue has not changed');
      return 'unchanged';
    }
    const changed = otherCurrencies(this.#currencies, catalogue.sponsors);
    if (changed.length > 0) return this.#refused(changed);
    try {
      const refusals = (await this.#options.refusals?.(catalogue)) ?? [];
      if (refusals.length > 0) return this.#refused(refusals);
      await take(catalogue);
    } catch (error) {
      this.#seen = {};
      logger.error({ err: error, catalogue: kept }, `${path}: was not taken over: the store did not keep it`);
      return 'failed';
    }
    this.#hash = catalogue.hash;
    this.#counted = counted;
    this.#currencies = new Map([...this.#currencies, ...currenciesOf(catalogue)]);
    logger.info({ catalogue: catalogue.hash, before: kept }, takenMessage);
    return 'taken';
  }

  #refused(faults: readonly string[]): ReloadOutcome {
    const { logger } = this.#options;
    const rest = faults.length > 1 ? ` (and ${faults.length - 1} more)` : '';
    logger.error(
      { catalogue: this.#hash, faults: faults.slice(0, SHOWN_FAULTS) },
      `the catalogue was not taken over, the previous one stays in use: ${faults[0]}${rest}`,
    );
    return 'refused';
  }
}

function currenciesOf({ sponsors }: NamedCatalogue): Map<string, string[]> {
  return new Map(sponsors.map(({ id, currency }) => [id, [currency]]));
}
