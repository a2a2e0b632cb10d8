import * as z from 'zod';

export const MIB = 2 ** 20;

/** A file or directory that a configuration names. */
export const path = (what: string) => z.string().min(1).describe(`${what} Relative to this file.`);
export const count = (min: number, max: number) => z.int().min(min).max(max);

/** An http(s) address without credentials, of which `remedy` says where they belong. */
export function serverUrl(remedy: string) {
  return (
    z
      .string()
      .refine(isServerUrl, { error: 'expected http://host:port or https://host:port' })
      // The message must not show what the URL holds.
      .refine((text) => !hasCredentials(text), {
        error: `a URL with a user or password in it is refused: ${remedy}`,
      })
  );
}

export function isServerUrl(text: string): boolean {
  return URL.canParse(text) && /^https?:\/\//i.test(text);
}

export function hasCredentials(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { username, password, searchParams } = new URL(text);
  return username !== '' || password !== '' || searchParams.has('password');
}

export const kafkaBrokers = z
  .array(z.string().regex(/^(\[[\da-fA-F:.]+\]|[^\s:/@]+):\d{1,5}$/, { error: 'expected host:port' }))
  .min(1)
  .describe('Bootstrap brokers, host:port.');

export const topicName = () => z.string().regex(/^[\w.-]{1,249}$/, { error: 'expected a topic name' });
