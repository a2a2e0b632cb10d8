import { describe, expect, test, vi } from 'vitest';
import { StoreError } from '../../platform/clickhouse/store.ts';
import type { SourceListener } from '../source.ts';
import { KafkaAssignment, shared } from './kafka-assignment.ts';

test('those who ask while an answer is under way share the next one', async () => {
  let fetches = 0;
  const gates: (() => void)[] = [];
  const ask = shared(async () => {
    const number = ++fetches;
    await new Promise<void>((resolve) => gates.push(resolve));
    return number;
  });
  const first = ask();
  await settle();
  const [second, third] = [ask(), ask()];
  await settle();
  expect(fetches).toBe(1);
  gates.shift()?.();
  await settle();
  expect(fetches).toBe(2);
  gates.shift()?.();
  expect(await Promise.all([first, second, third])).toEqual([1, 2, 2]);
});

test('a failure is its askers’ alone', async () => {
  let fetches = 0;
  const ask = shared(async () => {
    if (++fetches === 1) throw new Error('no answer');
    return fetches;
  });
  await expect(ask()).rejects.toThrow('no answer');
  expect(await ask()).toBe(2);
});

const settle = () => new Promise((resolve) => setImmediate(resolve));

describe('partitions of a group', () => {
  test('a partition that is slow to be assigned holds no other one back, and its former assignment is aborted', async () => {
    const { assignment, listener, fetching, problems } = assigned();
    listener.assign.mockImplementation(async ({ partition }, _bounds, round) => {
      if (partition === 1 && rounds.push(round) === 1) await stuck.opened;
      return 7;
    });
    const rounds: (AbortSignal | undefined)[] = [];
    const stuck = gate();
    assignment.replace([0, 1]);
    await settle();
    expect(fetching()).toEqual([0]);
    expect(problems.at(-1)).not.toBeNull();
    assignment.replace([0, 1, 2]);
    await settle();
    expect(fetching()).toEqual([0, 2]);
    expect(rounds.map((round) => round?.aborted)).toEqual([true]);
    stuck.open();
    await settle();
    expect(fetching()).toEqual([0, 1, 2]);
    expect(rounds.map((round) => round?.aborted)).toEqual([true, false]);
    expect(problems.at(-1)).toBeNull();
  });

  test('a fence while a partition is assigned has only that one assigned again', async () => {
    const { assignment, listener, fetching, failures } = assigned();
    let fences = 3;
    listener.assign.mockImplementation(async ({ partition }) => {
      if (partition === 1 && fences-- > 0) throw FENCED;
      return 7;
    });
    assignment.replace([0, 1]);
    await settle();
    expect(fetching()).toEqual([0, 1]);
    expect(failures).toEqual([]);
    expect(listener.revoke).not.toHaveBeenCalled();
  });

  test('a partition that is fenced whenever it is assigned ends the run', async () => {
    const { assignment, listener, failures } = assigned();
    listener.assign.mockRejectedValue(FENCED);
    assignment.replace([0]);
    await settle();
    expect(failures).toEqual([FENCED]);
    expect(listener.assign.mock.calls.length).toBeGreaterThan(3);
  });

  test('a partition that was taken away is not assigned after its revocation', async () => {
    const { assignment, listener, fetching } = assigned();
    const stuck = gate();
    listener.revoke.mockImplementationOnce(() => stuck.opened);
    assignment.replace([0]);
    await settle();
    assignment.replace([0]);
    assignment.replace([]);
    stuck.open();
    await settle();
    expect(listener.assign).toHaveBeenCalledTimes(1);
    expect(fetching()).toEqual([]);
    expect(assignment.partition(0)).toBeUndefined();
  });
});

function gate() {
  let open: () => void = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

const FENCED = new StoreError('batch_fenced', 'another batch is there', { canRetry: true });

/** An assignment over a listener and a consumer of the test, whose pauses take no time. */
function assigned() {
  const fetching = new Set<number>();
  const failures: unknown[] = [];
  const problems: (string | null)[] = [];
  const listener = {
    assign: vi.fn<SourceListener['assign']>(),
    deliver: vi.fn<SourceListener['deliver']>(),
    flush: vi.fn<SourceListener['flush']>(),
    revoke: vi.fn<SourceListener['revoke']>(async () => {}),
  };
  const partitionsOf = (topics: { partitions?: number[] }[]) => topics.flatMap(({ partitions = [] }) => partitions);
  const assignment = new KafkaAssignment({
    consumer: {
      pause(topics) {
        for (const partition of partitionsOf(topics)) fetching.delete(partition);
      },
      resume(topics) {
        for (const partition of partitionsOf(topics)) fetching.add(partition);
      },
      seek: () => {},
    },
    topic: 'flows',
    listener,
    fetchBounds: async () => new Map(),
    onFailure: (error) => failures.push(error),
    onProblem: (problem) => problems.push(problem),
    logger: { debug() {}, info() {}, warn() {}, error() {} },
    clock: { sleep: async () => {} },
  });
  return { assignment, listener, fetching: () => [...fetching].sort(), failures, problems };
}
