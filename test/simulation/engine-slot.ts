import type { WorkerSettings } from '../../src/engine/book-batch.ts';
import { Engine } from '../../src/engine/engine.ts';
import type { Catalogue } from '../../src/rating/catalogue.ts';
import { prepareCatalogue } from '../../src/rating/prepared-catalogue.ts';
import { PseudonymKey } from '../../src/rating/subscribers.ts';
import { lateUpdates } from './check-late-updates.ts';
import { JournalPort, type SimulatedStore } from './journal-port.ts';
import type { SimulatedGroup } from './simulated-group.ts';
import { SimulatedProcess, type World } from './simulated-process.ts';
import { PublisherPort, type SimulatedQuotaTopic } from './simulated-quota-topic.ts';
import { SimulatedSource } from './simulated-source.ts';
import type { SimulatedTopic } from './simulated-topic.ts';
import { BEGIN_MS, SIMULATED_RULES } from './simulated-traffic.ts';

/** Guards that a run can go without, to see that the invariants detect it. */
export const SABOTAGES = [
  'guard_off',
  'token_off',
  'position_trusted',
  'acknowledgement_trusted',
  'claims_off',
  'waiting_forgotten',
] as const;
export type Sabotage = (typeof SABOTAGES)[number];

export const PSEUDONYM_KEY = PseudonymKey.ofRoot(Buffer.alloc(32, 7));
const SESSION_MS = 3000;
const RESTART_MS = 1000;
const RETRY = { firstDelayMs: 50, maxDelayMs: 1000, giveUpAfterMs: 6000 };
/** Errors that an engine may end with; after each of them it is restarted. */
const EXPECTED = ['batch_fenced', 'claim_lost', 'store_unreachable', 'store_refused', 'kafka_unavailable'];
const LOSSES = ['records_lost', 'topic_recreated'];

export interface Place {
  world: World;
  store: SimulatedStore;
  topic: SimulatedTopic;
  group: SimulatedGroup;
  quotas: SimulatedQuotaTopic;
  /** All catalogues of the run. */
  catalogues: readonly Catalogue[];
  /** The current content of its catalogue file. */
  catalogue: Catalogue;
  duplicateWindowRecords: number;
  /** Least times between two publications of a lane's quota updates, of which each engine has one. */
  quotaIntervalsMs: readonly number[];
  sabotage: Sabotage | null;
  /** Called with a violation by an engine. */
  onFault: (invariant: 'unexpected' | 'reported' | 'late', message: string) => void;
  onDisturbance: () => void;
}

/** A place where an engine runs, and is restarted whenever it has ended. */
export class EngineSlot {
  readonly #place: Place;
  readonly #name: string;
  readonly #settings: Pick<
    WorkerSettings,
    'maxRecords' | 'maxBytes' | 'maxTotalBytes' | 'maxDelayMs' | 'quotaIntervalMs'
  >;
  readonly #fetchRecords: number;
  #starts = 0;
  #acceptsGaps = false;
  #isClosing = false;
  #source: SimulatedSource | null = null;
  #engine: Engine | null = null;
  #journal: JournalPort | null = null;
  process: SimulatedProcess | null = null;

  constructor(name: string, place: Place) {
    const { random } = place.world;
    this.#name = name;
    this.#place = place;
    this.#fetchRecords = random.integer(1, 12);
    const maxRecords = random.integer(2, 20);
    const maxBytes = random.pick([2000, 1 << 20]);
    const maxDelayMs = random.pick([20, 200, 1000]);
    const quotaIntervalMs = random.pick(place.quotaIntervalsMs);
    this.#settings = {
      maxRecords,
      maxBytes,
      // With small batches the lanes wait for each other's memory. Then no quota updates wait, but without an interval none do.
      maxTotalBytes: maxBytes === 2000 && quotaIntervalMs <= 100 ? 1 : 1 << 30,
      maxDelayMs,
      quotaIntervalMs,
    };
  }

  get isRunning(): boolean {
    return this.#source !== null;
  }

  start(): void {
    const { world, topic, group, sabotage } = this.#place;
    const wallMs = BEGIN_MS + world.random.integer(-1000, 1000);
    const name = `${this.#name}.${++this.#starts}`;
    const process = new SimulatedProcess(name, world, wallMs, () => {
      this.#ended(process);
      // The group detects missing heartbeats only after a while.
      world.time.after(world.random.integer(1, SESSION_MS), null, `${name} misses its heartbeats`, () =>
        group.evict(process),
      );
    });
    const source = new SimulatedSource({
      process,
      topic,
      group,
      fetchRecords: this.#fetchRecords,
      trustsPosition: sabotage === 'position_trusted',
    });
    this.process = process;
    this.#source = source;
    this.#run(process, source);
  }

  freeze(ms: number): void {
    const { process } = this;
    const { world, group } = this.#place;
    if (process === null) return;
    process.frozenUntilMs = world.time.nowMs + ms;
    if (ms > SESSION_MS) {
      world.time.after(SESSION_MS, null, `${process.name} misses its heartbeats`, () => group.evict(process));
    }
  }

  thaw(): void {
    // Events that wait for the former thaw come at their time all the same.
    if (this.process !== null) this.process.frozenUntilMs = 0;
  }

  /** Stops the engine; it is restarted unless the slot is closed. */
  stop(): void {
    void this.#source?.stop();
  }

  /** Applies a changed catalogue file. */
  reload(): void {
    // A catalogue that the store did not keep is left out, and the engine continues with the current one: others may have
    // taken it over.
    const catalogue = prepareCatalogue(this.#place.catalogue);
    const engine = this.#engine;
    this.#journal
      ?.keepCatalogue(catalogue)
      .then(() => engine?.take(catalogue))
      .catch(() => {});
  }

  close(): void {
    this.#isClosing = true;
    this.stop();
  }

  #run(process: SimulatedProcess, source: SimulatedSource): void {
    const { catalogue, store, quotas, sabotage, duplicateWindowRecords } = this.#place;
    const { catalogues, onFault } = this.#place;
    const journal = new JournalPort({
      process,
      store,
      trustsAcknowledgements: sabotage === 'acknowledgement_trusted',
      forgetsWaiting: sabotage === 'waiting_forgotten',
    });
    const engine = new Engine({
      journal,
      catalogue: prepareCatalogue(catalogue),
      source,
      publisher: new PublisherPort(process, quotas),
      settings: {
        ...this.#settings,
        rejectionPayloadBytes: 100,
        recordRules: SIMULATED_RULES,
        duplicateWindowRecords,
        pseudonymKey: PSEUDONYM_KEY,
        acceptGaps: this.#acceptsGaps,
      },
      retry: RETRY,
      clock: process.clock,
      onBooked: ({ place: { log, laneSequence }, digest }) => {
        const batch = `${log.lane}@${laneSequence}`;
        if (store.journal.digestAt(log.lane, laneSequence) !== digest) {
          onFault('reported', `${process.name} reported ${batch} as booked, and the journal does not have it`);
          return;
        }
        for (const message of lateUpdates(store.journal, log.lane, laneSequence, catalogues, quotas.highest)) {
          onFault('late', `${process.name} reported ${batch} as booked: ${message}`);
        }
      },
    });
    this.#engine = engine;
    this.#journal = journal;
    engine.run().then(
      () => this.#ended(process),
      (error) => {
        if (process.isDead) return;
        this.#judge(process, error);
        this.#ended(process);
      },
    );
  }

  #judge(process: SimulatedProcess, error: Error & { code?: string }): void {
    const { world, onFault } = this.#place;
    world.time.note(`${process.name} ended: ${error.message}`);
    if (LOSSES.includes(error.code ?? '') && !this.#acceptsGaps) this.#acceptsGaps = true;
    else if (!EXPECTED.includes(error.code ?? '')) onFault('unexpected', `${process.name}: ${error.stack}`);
    // Either the process ends too, or the remains of this engine run beside the next one.
    if (world.random.uniform() < 0.5) process.isDead = true;
  }

  #ended(process: SimulatedProcess): void {
    if (this.process !== process || this.#source === null) return;
    this.#source = null;
    this.#engine = null;
    this.#journal = null;
    this.#place.onDisturbance();
    if (this.#isClosing) return;
    const { time, random } = this.#place.world;
    time.after(random.integer(1, RESTART_MS * 2), null, `${this.#name} starts`, () => {
      if (!this.#isClosing) this.start();
    });
  }
}
