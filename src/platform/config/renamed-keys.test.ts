import { expect, test } from 'vitest';
import { applyRenames, type KeyRename, renamesUnder } from './renamed-keys.ts';
import { TLS_RENAMES } from './tls-schema.ts';

const RENAMES: readonly KeyRename[] = [
  { from: ['reload', 'everyMs'], to: ['reload', 'intervalMs'] },
  { from: ['retainDays'], to: ['lifetimeMs'], factor: 86_400_000 },
  { from: ['rates', '*', 'perMs'], to: ['rates', '*', 'intervalMs'] },
  { from: ['proxies', '*', 'controlCaFile'], to: ['proxies', '*', 'tls', 'caFile'] },
  ...renamesUnder(['kafka'], TLS_RENAMES),
];
const renamed = (value: unknown) => {
  const { document, warnings, faults } = applyRenames(value, RENAMES);
  return {
    document,
    warnings: warnings.map(({ path }) => path.join('.')),
    faults: faults.map(({ path }) => path.join('.')),
  };
};

test.each([
  ['one key', { reload: { everyMs: 5, x: 1 } }, { reload: { intervalMs: 5, x: 1 } }, ['reload.everyMs']],
  ['another unit', { retainDays: 2 }, { lifetimeMs: 172_800_000 }, ['retainDays']],
  ['text in another unit is left to the schema', { retainDays: 'two' }, { lifetimeMs: 'two' }, ['retainDays']],
  [
    'every key of a map',
    { rates: { a: { perMs: 1 }, b: { perMs: 2 }, c: {} } },
    { rates: { a: { intervalMs: 1 }, b: { intervalMs: 2 }, c: {} } },
    ['rates.a.perMs', 'rates.b.perMs'],
  ],
  [
    'every entry of a list',
    { rates: [{ perMs: 1 }, { intervalMs: 2 }] },
    { rates: [{ intervalMs: 1 }, { intervalMs: 2 }] },
    ['rates.0.perMs'],
  ],
  [
    'into a map of its own',
    { proxies: { p: { controlCaFile: 'ca' } } },
    { proxies: { p: { tls: { caFile: 'ca' } } } },
    ['proxies.p.controlCaFile'],
  ],
  [
    'a map and what is in it, each by the name that was written',
    { kafka: { ssl: { ca: 'a', key: 'k' } } },
    { kafka: { tls: { caFile: 'a', keyFile: 'k' } } },
    ['kafka.ssl', 'kafka.ssl.ca', 'kafka.ssl.key'],
  ],
  ['a switch', { kafka: { ssl: true } }, { kafka: { tls: true } }, ['kafka.ssl']],
  ['names of today', { reload: { intervalMs: 5 } }, { reload: { intervalMs: 5 } }, []],
  ['nothing', null, null, []],
  ['another kind of document', [1, 'x'], [1, 'x'], []],
  ['a key whose map is no map', { reload: 5, rates: null }, { reload: 5, rates: null }, []],
])('%s', (_case, value, document, warnings) => {
  expect(renamed(value)).toEqual({ document, warnings, faults: [] });
});

test.each([
  ['both names of a key', { reload: { everyMs: 1, intervalMs: 2 } }, 'reload.everyMs'],
  ['both names of a map', { kafka: { ssl: true, tls: false } }, 'kafka.ssl'],
  ['both names of a key in a renamed map', { kafka: { ssl: { ca: 'a', caFile: 'b' } } }, 'kafka.ssl.ca'],
  ['a place that is taken', { proxies: { p: { controlCaFile: 'a', tls: 5 } } }, 'proxies.p.controlCaFile'],
])('%s is a fault', (_case, value, fault) => {
  expect(renamed(value).faults).toEqual([fault]);
});

test('a map that an alias repeats is renamed once', () => {
  const rate = { perMs: 1 };
  expect(renamed({ rates: { a: rate, b: rate } })).toEqual({
    document: { rates: { a: { intervalMs: 1 }, b: { intervalMs: 1 } } },
    warnings: ['rates.a.perMs'],
    faults: [],
  });
});

test('what is written is left as it is, and no prototype is touched', () => {
  const value = JSON.parse('{"reload":{"everyMs":1},"rates":{"__proto__":{"perMs":1}}}');
  const before = JSON.stringify(value);
  renamed(value);
  expect(JSON.stringify(value)).toBe(before);
  expect({}).not.toHaveProperty('intervalMs');
});
