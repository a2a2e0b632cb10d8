import { expect, test } from 'vitest';
import { Health } from '../../platform/http/health.ts';
import type { EngineEvents } from '../book-batch.ts';
import { ThreadEvents, ThreadHealth } from './thread-observer.ts';

const log = (partition: number) => ({ topic: 'flows', partition, lane: `flows-${partition}` });

function recorded() {
  const calls: string[] = [];
  const note = (name: string) => (value: { lane?: string }) => void calls.push(`${name} ${value.lane ?? ''}`.trim());
  const events = {
    onAssigned: note('assigned'),
    onReleased: note('released'),
    onJournaled: note('journaled'),
    onBooked: note('booked'),
    onFailed: note('failed'),
    onGap: note('gap'),
  } as unknown as EngineEvents;
  return { calls, events };
}

test('a part has a problem until no thread has it', () => {
  const health = new Health();
  const threads = new ThreadHealth(health);
  const [first, second] = [threads.of(0), threads.of(1)];
  first.report('store', 'first down');
  second.report('store', 'second down');
  second.report('source', 'joining');
  first.report('store', null);
  expect(health.problems).toEqual({ store: 'second down', source: 'joining' });
  second.report('store', null);
  second.report('source', null);
  expect(health.isReady).toBe(true);
});

test('the release of a lane that another thread has by then is not passed on', () => {
  const { calls, events } = recorded();
  const threads = new ThreadEvents(events);
  const [first, second] = [threads.of(0), threads.of(1)];
  first.onAssigned(log(0), -1);
  second.onAssigned(log(0), 9);
  first.onReleased(log(0));
  expect(calls).toEqual(['assigned flows-0', 'assigned flows-0']);
  second.onReleased(log(0));
  expect(calls.at(-1)).toBe('released flows-0');
});

test('an engine that has ended releases its own lanes, and no other ones', () => {
  const { calls, events } = recorded();
  const threads = new ThreadEvents(events);
  threads.of(0).onAssigned(log(0), -1);
  threads.of(1).onAssigned(log(1), -1);
  threads.of(0).onAssigned(log(2), -1);
  calls.length = 0;
  threads.releaseAll(0);
  expect(calls).toEqual(['released flows-0', 'released flows-2']);
});
