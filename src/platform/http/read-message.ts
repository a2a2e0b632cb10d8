import * as z from 'zod';

/** A schema stops at the first fault: a body of many faults costs no more than one of one. */
const STOP_AT_FIRST: z.core.ParseContextInternal<z.core.$ZodIssue> = { abortEarly: true };
const MAX_FAULT_LENGTH = 300;

/**
 * Returns the schema of a list of a request. A list that is too long is refused before its items are read, and items are read up
 * to the first faulty one: of a plain `z.array`, each item that breaks a pattern or range would add its faults.
 */
export function boundedList<T extends z.ZodType>(item: T, { min = 0, max }: { min?: number; max: number }) {
  // A pipe ends at its first step's faults, and with it the list.
  return z
    .array(item.transform((value) => value))
    .min(min)
    .max(max);
}

export type ReadMessage<T> = { value: T; fault?: undefined } | { fault: string };

/** Returns what a message holds, or its first fault: the place and what is wrong there, of bounded length. */
export function readMessage<T>(schema: z.ZodType<T>, message: unknown): ReadMessage<T> {
  const read = schema.safeParse(message, STOP_AT_FIRST);
  return read.success ? { value: read.data } : { fault: firstFault(read.error) };
}

function firstFault({ issues: [issue] }: z.ZodError): string {
  const place = z.core.toDotPath(issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part)));
  const text = place === '' ? issue.message : `${place}: ${issue.message}`;
  return text.length <= MAX_FAULT_LENGTH ? text : `${text.slice(0, MAX_FAULT_LENGTH)}...`;
}
