import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { builtModule } from '../../../test/servers/built.ts';
import { prepareCatalogue } from '../../rating/prepared-catalogue.ts';
import { compileCatalogue } from './compile-catalogue.ts';
import { compileInThread, compileWholeInThread } from './compile-catalogue-thread.ts';
import { packed, unpackCatalogue } from './packed-catalogue.ts';

const APPLICATIONS = 200;
const PREFIXES_EACH = 100;
const PLANS_EACH = 10;
const NONE_BEFORE = packed(new Map());
const { signal } = new AbortController();

let directory: string;
let path: string;
let program: string;
beforeAll(async () => {
  program = await builtModule('engine/reload/compile-catalogue-thread-main.js');
  directory = await mkdtemp(join(tmpdir(), 'zerorate-compile-'));
  path = join(directory, 'catalogue.yaml');
  await writeFile(path, JSON.stringify(largeCatalogue()));
});
afterAll(() => rm(directory, { recursive: true }));

function largeCatalogue(): object {
  const each = <T>(count: number, make: (at: number) => T) => Array.from({ length: count }, (_, at) => make(at));
  const network = (n: number) => `${10 + (n >> 16)}.${(n >> 8) & 255}.${n & 255}.0/24`;
  return {
    sponsors: [{ id: 's', name: 'S', currency: 'USD', creditLimit: '1000' }],
    applications: each(APPLICATIONS, (i) => ({
      id: `a${i}`,
      sponsor: 's',
      tags: [`tag-${i}`],
      // Some with dates, which pass between threads as they are.
      prefixes: each(PREFIXES_EACH, (j) => {
        const cidr = network(i * PREFIXES_EACH + j);
        return j % 10 === 0 ? { cidr, from: '2026-01-01T00:00:00Z' } : cidr;
      }),
    })),
    plans: each(APPLICATIONS * PLANS_EACH, (i) => ({
      id: `p${i % APPLICATIONS}`,
      application: `a${i % APPLICATIONS}`,
      version: Math.floor(i / APPLICATIONS) + 1,
      effectiveFrom: `${2010 + Math.floor(i / APPLICATIONS)}-01-01T00:00:00Z`,
      effectiveTo: `${2011 + Math.floor(i / APPLICATIONS)}-01-01T00:00:00Z`,
      period: 'day',
      timeZone: 'UTC',
      content: { text: 10000, unknown: 10000 },
      quotaOctets: null,
      notifyAt: [],
      tiers: [{ upToOctets: null, pricePerMiB: '1' }],
      latePolicy: 'adjust',
    })),
  };
}

test('a thread compiles the same catalogue, and blocks this thread for a fraction of the time', async () => {
  const beginMs = performance.now();
  const here = await compileCatalogue(path, NONE_BEFORE);
  const compileMs = performance.now() - beginMs;

  const pausesMs: number[] = [];
  const compileAndUnpack = async () => {
    const compiled = await compileInThread(program)(path, NONE_BEFORE, signal);
    if (compiled.faults !== undefined) throw new Error(compiled.faults[0]);
    return { ...compiled, catalogue: await unpackCatalogue(compiled.catalogue) };
  };
  if (here.faults !== undefined) throw new Error(here.faults[0]);
  // A busy machine pauses this thread by itself: the shortest of three tries counts.
  for (let attempt = 0; attempt < 3; attempt++) {
    const { compiled, longestPauseMs } = await whileBeating(compileAndUnpack);
    expect(isDeepStrictEqual(compiled, { ...here, catalogue: prepareCatalogue(here.catalogue) })).toBe(true);
    pausesMs.push(longestPauseMs);
    if (longestPauseMs < compileMs / 5) break;
  }
  expect(here.catalogue.plans).toHaveLength(APPLICATIONS * PLANS_EACH);
  expect(Math.min(...pausesMs)).toBeLessThan(compileMs / 5);
});

test('one who asks for the claims has the whole catalogue', async () => {
  const whole = await compileWholeInThread(program)(path, NONE_BEFORE, signal);
  expect(isDeepStrictEqual(whole, await compileCatalogue(path, NONE_BEFORE))).toBe(true);
});

async function whileBeating<T>(work: () => Promise<T>): Promise<{ compiled: T; longestPauseMs: number }> {
  let longestPauseMs = 0;
  let lastMs = performance.now();
  const beat = setInterval(() => {
    longestPauseMs = Math.max(longestPauseMs, performance.now() - lastMs);
    lastMs = performance.now();
  }, 1);
  const compiled = await work();
  clearInterval(beat);
  return { compiled, longestPauseMs };
}

test('faults, and a file that cannot be read, are reported as in this thread', async () => {
  const bad = join(directory, 'bad.yaml');
  await writeFile(bad, 'sponsors: []\napplication: []\n');
  for (const file of [bad, join(directory, 'none.yaml')]) {
    const there = await compileInThread(program)(file, NONE_BEFORE, signal);
    expect(there).toEqual(await compileCatalogue(file, NONE_BEFORE));
    expect(there.faults?.[0]).toContain(file);
  }
});

test('aborted work ends, and a thread that cannot work is reported', async () => {
  const stopping = new AbortController();
  const compiling = compileInThread(program)(path, NONE_BEFORE, stopping.signal);
  stopping.abort();
  expect((await compiling).faults).toHaveLength(1);
  const nowhere = await compileInThread(join(directory, 'none.js'))(path, NONE_BEFORE, signal);
  expect(nowhere.faults?.[0]).toMatch(/catalogue\.yaml: cannot be compiled: /);
});
