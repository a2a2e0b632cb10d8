import * as z from 'zod';
import { HTTP_REFUSALS, type HttpRefusal, MAX_MESSAGE_LENGTH } from './http-refusal.ts';

/** Reason, status and meaning. */
export type DocumentedRefusal = readonly [reason: string, status: number, meaning: string];

/** Returns the schema of a refusal's body, for the documentation of a server with these reasons of its own. */
export function refusalBodySchema<Reason extends string>(reasons: readonly Reason[]) {
  return z.strictObject({
    reason: z.enum([...new Set<HttpRefusal | Reason>([...(Object.keys(HTTP_REFUSALS) as HttpRefusal[]), ...reasons])]),
    message: z.string().max(MAX_MESSAGE_LENGTH),
    retryAfterMs: z.int().min(0).optional(),
  });
}

/** Returns the documentation of an answer that is not JSON: a text, or a stream of one. */
export function textAnswer(contentType: string, description: string) {
  return { description, content: { [contentType]: { schema: z.any().meta({ type: 'string' }) } } };
}

/** Returns the refusals of a route by status, for its documentation: those of HTTP, which any route has, and its own. */
export function documentedRefusals<S extends z.ZodType>(
  schema: S,
  own: readonly DocumentedRefusal[],
): Record<number, S> {
  const ofHttp = (Object.keys(HTTP_REFUSALS) as HttpRefusal[]).map(
    (reason): DocumentedRefusal => [reason, ...HTTP_REFUSALS[reason]],
  );
  const byStatus = new Map<number, string[]>();
  for (const [reason, status, meaning] of [...ofHttp, ...own]) {
    byStatus.set(status, [...(byStatus.get(status) ?? []), `\`${reason}\`: ${meaning}`]);
  }
  return Object.fromEntries([...byStatus].map(([status, meanings]) => [status, schema.describe(meanings.join('; '))]));
}
