import { expect, test } from 'vitest';
import { guarded } from './store.ts';

const failing = (code?: string) => () =>
  Promise.reject(Object.assign(new Error('Empty marks file'), code === undefined ? {} : { code }));

test.each([
  ['246', 'store_damaged', true],
  ['243', 'store_full', true],
  ['289', 'store_refused', true],
  ['60', 'store_refused', false],
  ['395', 'batch_fenced', false],
  [undefined, 'store_unreachable', true],
  ['ECONNRESET', 'store_unreachable', true],
])('ClickHouse’s error %s is %s', async (number, code, canRetry) => {
  await expect(guarded(failing(number))).rejects.toMatchObject({ name: 'StoreError', code, canRetry });
});

test('a damaged part comes with its remedy', async () => {
  await expect(guarded(failing('246'))).rejects.toThrow(/restart ClickHouse, or DETACH and ATTACH .* eight minutes/);
});

test('a write that the operating system refuses for room is a full disk, whatever its number', async () => {
  const refused = Object.assign(new Error('Cannot write to file, errno: 28, strerror: No space left on device'), {
    code: '75',
  });
  await expect(guarded(() => Promise.reject(refused))).rejects.toMatchObject({ code: 'store_full', canRetry: true });
});
