import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { BrokerWatch } from './broker-watch.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test('one line when an outage begins and one when it ends, and a problem in between', async () => {
  let isUp = true;
  const said: string[] = [];
  const problems: (string | null)[] = [];
  const say = (level: string) => (_fields: object, message: string) => said.push(`${level} ${message}`);
  const watch = new BrokerWatch({
    brokers: ['b:9092'],
    isAnswered: async () => isUp,
    logger: { debug: say('debug'), info: say('info'), warn: say('warn'), error: say('error') },
    onProblem: (problem) => problems.push(problem),
  });
  watch.start();
  // Quiet, as in a group that is not at rest, is no outage.
  await vi.advanceTimersByTimeAsync(20_000);
  expect(said).toEqual([]);
  isUp = false;
  await vi.advanceTimersByTimeAsync(10_000);
  expect(watch.isAway).toBe(true);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(problems).toEqual(['none of the brokers b:9092 answers']);
  isUp = true;
  await vi.advanceTimersByTimeAsync(2000);
  watch.stop();
  expect(problems.at(-1)).toBe(null);
  expect(said).toEqual([
    'warn Kafka is away: none of the brokers b:9092 answers; the engine waits and resumes when one answers',
    expect.stringMatching(/^info Kafka answers again, after 7\d s$/),
  ]);
});
