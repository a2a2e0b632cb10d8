import { afterEach, expect, test, vi } from 'vitest';
import { StoreError } from '../platform/clickhouse/store.ts';
import { ConfigError } from '../platform/config/config-error.ts';
import { reportFailure } from './failure.ts';

const MSISDN = '491701234567';
let said = '';
const write = vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
  said += String(text);
  return true;
});
afterEach(() => {
  said = '';
  write.mockClear();
});

test.each<[string, Error, number]>([
  ['a bug, with its stack and its cause', new Error(`no row for ${MSISDN}`, { cause: new Error(MSISDN) }), 1],
  ['what the store answers', new StoreError('store_refused', `cannot parse ${MSISDN}`), 1],
])('%s ends the program without naming a subscriber', (_, error, code) => {
  expect(reportFailure(error)).toBe(code);
  expect(said).toMatch(/no row for \[redacted]|cannot parse \[redacted]/);
  expect(said).not.toContain(MSISDN);
});

test('what the user wrote is said as it is', () => {
  expect(reportFailure(new ConfigError('/data/20261125123456/z.yaml:1: is missing'))).toBe(2);
  expect(said).toBe('/data/20261125123456/z.yaml:1: is missing\n');
});

test.each([
  ['ENOSPC', 'the disk is full; make room on it'],
  ['EROFS', 'the file system is mounted read-only; name a path on another one'],
  ['EACCES', 'this user may not do that; change owner or permissions'],
  ['EISDIR', 'is a directory; name a file'],
])('what the operating system refuses is one line without a stack: %s', (code, remedy) => {
  const error = Object.assign(new Error(`${code}: refused, open '/data/x'`), {
    code,
    syscall: 'open',
    path: '/data/x',
  });
  expect(reportFailure(error)).toBe(1);
  expect(said).toBe(`/data/x: ${remedy} [${code}]\n`);
});
