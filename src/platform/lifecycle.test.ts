import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { endOnClosedPipe } from './lifecycle.ts';

test('a stream has one listener for a broken pipe, however often the program is put together', () => {
  const stream = new PassThrough() as unknown as NodeJS.WriteStream;
  for (let call = 0; call < 20; call++) endOnClosedPipe(stream);
  expect(stream.listenerCount('error')).toBe(1);
});
