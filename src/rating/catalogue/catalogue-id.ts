import * as z from 'zod';

/** The schema of an id; `of` is its description. */
export const id = (of: string) =>
  z
    .string()
    .regex(/^[a-z0-9][a-z0-9._-]{0,63}$/, {
      error: 'expected 1 to 64 of a-z 0-9 . _ - beginning with a letter or digit',
    })
    .describe(of);
