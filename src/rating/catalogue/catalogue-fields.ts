import * as z from 'zod';
import { parseMicros } from '../money.ts';

/** A text schema: a name as the catalogue gives them. */
export const id = (of: string) =>
  z
    .string()
    .regex(/^[a-z0-9][a-z0-9._-]{0,63}$/, {
      error: 'expected 1 to 64 of a-z 0-9 . _ - beginning with a letter or digit',
    })
    .describe(of);

/** What the largest amount of a catalogue is called in messages. */
export const MAX_AMOUNT = '9007199254.740991';

/** A text schema: money in units of a currency, of at most `maxMicros`, which is `maxText`. */
export const money = (maxMicros: number, maxText: string) =>
  z
    .string()
    .regex(/^(0|[1-9]\d*)(\.\d{1,6})?$/, {
      error: 'expected a decimal number in quotes, not below 0, with at most 6 decimals, as "0.20"',
      abort: true,
    })
    .refine((text) => (parseMicros(text) ?? Number.POSITIVE_INFINITY) <= maxMicros, {
      error: `expected at most ${maxText}`,
    });

/** A text schema: an instant with its offset. */
export const time = () =>
  z.iso.datetime({
    offset: true,
    // A time that is missing has a message of its own.
    error: ({ code }) =>
      code === 'invalid_format'
        ? 'expected a time with its offset, as 2026-01-31T00:00:00Z or 2026-01-31T00:00:00+08:00'
        : undefined,
  });
