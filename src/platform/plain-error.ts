import { ConfigError } from './config/config-error.ts';

/** An error in plain values, as it goes from thread to thread: structured clones keep neither its class nor its code. */
export interface PlainError {
  name: string;
  message: string;
  stack: string;
  /** What it has beside these and is text, a number or a truth value: `code`, `canRetry`, `path`. */
  fields: Readonly<Record<string, unknown>>;
  cause: PlainError | null;
}

/** Of a chain of causes, which may lead back to itself. */
const MOST_CAUSES = 8;

/** Takes an error apart. What is thrown and is no error becomes the message of one. */
export function plainError(error: unknown, depth = 0): PlainError {
  if (!(error instanceof Error)) return { name: 'Error', message: String(error), stack: '', fields: {}, cause: null };
  const { name, message, stack = '', cause } = error;
  const isShown = ([field, value]: [string, unknown]) =>
    !['message', 'stack', 'cause'].includes(field) && ['string', 'number', 'boolean'].includes(typeof value);
  const fields = Object.fromEntries(Object.entries(error).filter(isShown));
  const hasCause = cause !== undefined && cause !== null && depth < MOST_CAUSES;
  return { name, message, stack, fields, cause: hasCause ? plainError(cause, depth + 1) : null };
}

/**
 * An error with the same name, message, stack, fields and causes. Of the classes only ConfigError is made again: every other error
 * is known by its code.
 */
export function errorOf({ name, message, stack, fields, cause }: PlainError): Error {
  if (name === 'ConfigError') return new ConfigError(message);
  // Log lines have the name of the class.
  const Named = { [name]: class extends Error {} }[name];
  const error = new Named(message, cause === null ? {} : { cause: errorOf(cause) });
  Object.defineProperty(Named.prototype, 'name', { value: name, writable: true });
  if (stack !== '') Object.defineProperty(error, 'stack', { value: stack, configurable: true, writable: true });
  return Object.assign(error, fields);
}
