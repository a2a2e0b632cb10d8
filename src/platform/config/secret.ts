import { inspect } from 'node:util';

const REDACTED = '[redacted]';

/** A text that does not show itself when it is printed, logged or made JSON; only `reveal` gives it. */
export class Secret {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  reveal(): string {
    return this.#text;
  }

  toString(): string {
    return REDACTED;
  }

  toJSON(): string {
    return REDACTED;
  }

  [inspect.custom](): string {
    return REDACTED;
  }
}

/** The only field of what a secret is while it goes from thread to thread. */
const REVEALED = 'revealedSecret';

/** A plain value in which every secret is readable text, so that another thread may have it; `concealed` undoes it. Never log it. */
export function revealed(value: unknown): unknown {
  if (value instanceof Secret) return { [REVEALED]: value.reveal() };
  return mapped(value, revealed);
}

/** What `revealed` was given. */
export function concealed(value: unknown): unknown {
  const text = typeof value === 'object' && value !== null && REVEALED in value ? value[REVEALED] : null;
  return typeof text === 'string' ? new Secret(text) : mapped(value, concealed);
}

function mapped(value: unknown, change: (inner: unknown) => unknown): unknown {
  if (Array.isArray(value)) return value.map(change);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([field, inner]) => [field, change(inner)]));
}
