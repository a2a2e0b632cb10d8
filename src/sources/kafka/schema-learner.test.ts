import { expect, test, vi } from 'vitest';
import { LogRecord } from '../../platform/kafka/log-record.ts';
import { RegistryError } from '../../platform/kafka/registry-error.ts';
import { NO_ID } from '../../rating/decode-avro.ts';
import { KnownRecords } from './kafka-feed.ts';
import { SchemaLearner, type SchemaLearnerOptions } from './schema-learner.ts';

const SCHEMA = '{"type":"string"}';
const nothing = () => {};
const down = new RegistryError('registry_unavailable', 'down');
const refused = new RegistryError('registry_refused', 'no');

/** Answers of a registry, one after another; the last stays. Schema ids are a record's first octet. */
function learner(answers: (string | null | Error)[], more: Partial<SchemaLearnerOptions> = {}) {
  const learnt: number[] = [];
  const problems: (string | null)[] = [];
  let asked = 0;
  const made = new SchemaLearner({
    registry: {
      async schemaOf() {
        const answer = answers[Math.min(asked++, answers.length - 1)];
        if (answer instanceof Error) throw answer;
        return answer;
      },
      close: nothing,
    },
    decoder: {
      unknownIdOf: (octets: Uint8Array, start: number) => (learnt.includes(octets[start]) ? NO_ID : octets[start]),
      learn: (id: number) => learnt.push(id),
    } as unknown as SchemaLearnerOptions['decoder'],
    keep: async (_id, document) => document,
    logger: { debug: nothing, info: nothing, warn: nothing, error: nothing },
    onProblem: (problem) => problems.push(problem),
    ...more,
  });
  return { made, learnt, problems, asked: () => asked };
}

const record = (offset: number, id: number) => LogRecord.of({ offset, value: Buffer.of(id) });
const never = () => false;

test('records stop before one whose schema is not known, and continue from it', async () => {
  const { made, learnt } = learner([SCHEMA]);
  learnt.push(1);
  const known = new KnownRecords([record(5, 1), record(6, 2), record(7, 1)].values(), made);
  expect([...known].map(({ offset }) => offset)).toEqual([5]);
  expect(known.missingId).toBe(2);
  await made.learn(2, never);
  expect([...known].map(({ offset }) => offset)).toEqual([6, 7]);
  expect(known.missingId).toBe(null);
});

test('lanes that wait for one id ask once', async () => {
  const { made, learnt, asked } = learner([SCHEMA]);
  await Promise.all([made.learn(7, never), made.learn(7, never), made.learn(7, never)]);
  expect([asked(), learnt]).toEqual([1, [7]]);
});

test('a registry that is down is asked again and again, and reported', async () => {
  vi.useFakeTimers();
  const { made, learnt, problems, asked } = learner([down, down, down, SCHEMA]);
  const learning = made.learn(7, never);
  await vi.runAllTimersAsync();
  await learning;
  vi.useRealTimers();
  expect(asked()).toBe(4);
  expect(learnt).toEqual([7]);
  expect(problems).toEqual(['down', 'down', 'down', null]);
});

test('nothing waits for it once the partition is taken away', async () => {
  let isOver = false;
  const { made, learnt } = learner([down]);
  const learning = made.learn(7, () => isOver);
  isOver = true;
  await learning;
  expect(learnt).toEqual([]);
});

test.each([
  ['a registry that refuses this client', [refused], {}],
  ['another schema than was kept', [SCHEMA], { keep: async () => '{"type":"int"}' }],
] as const)('%s is an end, and teaches nothing', async (_case, answers, more) => {
  const { made, learnt } = learner([...answers], more);
  await expect(made.learn(7, never)).rejects.toMatchObject({ canRetry: false });
  expect(learnt).toEqual([]);
});

test('an id without a schema is looked for twice, then unknown for ten seconds', async () => {
  vi.useFakeTimers();
  const { made, learnt, asked } = learner([null, null, SCHEMA]);
  const learning = made.learn(7, never);
  await vi.runAllTimersAsync();
  await learning;
  expect([asked(), learnt, made.missingIdOf(Buffer.of(7), 0, 1)]).toEqual([2, [], NO_ID]);
  vi.advanceTimersByTime(10_001);
  expect(made.missingIdOf(Buffer.of(7), 0, 1)).toBe(7);
  await made.learn(7, never);
  vi.useRealTimers();
  expect(learnt).toEqual([7]);
});

test('of many unknown ids only the first is waited for', async () => {
  vi.useFakeTimers();
  const { made, asked } = learner([null]);
  const first = made.learn(1, never);
  await vi.runAllTimersAsync();
  await first;
  for (let id = 2; id <= 50; id++) await made.learn(id, never);
  vi.useRealTimers();
  expect(asked()).toBe(51);
});
