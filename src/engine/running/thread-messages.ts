import type { Config } from '../../platform/config/config.ts';
import { concealed, revealed } from '../../platform/config/secret.ts';
import { errorOf, type PlainError, plainError } from '../../platform/plain-error.ts';
import type { KeyState } from '../../platform/pseudonym-key.ts';
import { PseudonymKey } from '../../rating/subscribers.ts';
import type { KafkaProgress } from '../../sources/kafka/kafka-feed.ts';
import type { EngineEvents } from '../book-batch.ts';
import type { RunTotals } from '../engine.ts';
import type { PackedCatalogue } from '../reload/packed-catalogue.ts';
import type { LoadedKey } from './load-key.ts';

/** What a thread makes its engine from. */
export interface ThreadSetup {
  config: Config;
  key: LoadedKey;
  catalogue: PackedCatalogue;
  acceptGaps: boolean;
}

/** The same in plain values, with the secrets in them: never to be printed. */
export interface ThreadData extends Omit<ThreadSetup, 'config' | 'key'> {
  config: unknown;
  generations: PseudonymKey['generations'];
  history: readonly KeyState[];
}

export function packSetup({ config, key, ...rest }: ThreadSetup): ThreadData {
  return { ...rest, config: revealed(config), generations: key.key.generations, history: key.history };
}

export function unpackSetup({ config, generations, history, ...rest }: ThreadData): ThreadSetup {
  return { ...rest, config: concealed(config) as Config, key: { key: new PseudonymKey(generations), history } };
}

/** To the engine's thread. */
export type ThreadCommand = { kind: 'stop' } | { kind: 'take'; catalogue: PackedCatalogue };

/** A call of EngineEvents; an error in it is a PlainError. */
type EventMessage = {
  [Name in keyof EngineEvents]: {
    kind: 'event';
    name: Name;
    values: Parameters<EngineEvents[Name]>;
    totals: RunTotals;
  };
}[keyof EngineEvents];

/** From the engine's thread, at most a few for each batch. */
export type ThreadReport =
  | EventMessage
  /** Null: the part works. */
  | { kind: 'problem'; part: string; problem: string | null }
  | { kind: 'read'; progress: KafkaProgress }
  | { kind: 'broker_answered' }
  /** A log line, as JSON. */
  | { kind: 'log'; line: string }
  /** The engine rates with the catalogue of the oldest `take` that is not answered. */
  | { kind: 'taken' }
  /** The engine has failed, and what it works with is being closed; `halted` follows. */
  | { kind: 'halting'; error: PlainError; totals: RunTotals }
  | { kind: 'ended'; totals: RunTotals }
  | { kind: 'halted'; error: PlainError; totals: RunTotals };

/** Events that become messages. `totals` returns what the engine has booked so far. */
export function sendEvents(send: (message: EventMessage) => void, totals: () => RunTotals): EngineEvents {
  const sent =
    <Name extends keyof EngineEvents>(name: Name) =>
    (...values: Parameters<EngineEvents[Name]>) =>
      send({ kind: 'event', name, values, totals: totals() } as EventMessage);
  const onFailed = sent('onFailed');
  return {
    onAssigned: sent('onAssigned'),
    onReleased: sent('onReleased'),
    onJournaled: sent('onJournaled'),
    onBooked: sent('onBooked'),
    onPublished: sent('onPublished'),
    onFailed: ({ error, ...failed }) => onFailed({ ...failed, error: plainError(error) }),
    onGap: sent('onGap'),
  };
}

/** Makes the call that a message is. */
export function receiveEvent(message: EventMessage, events: EngineEvents): void {
  if (message.name === 'onFailed') {
    const [{ error, ...failed }] = message.values;
    events.onFailed({ ...failed, error: errorOf(error as PlainError) });
    return;
  }
  const call = events[message.name] as (...values: unknown[]) => void;
  call(...message.values);
}
