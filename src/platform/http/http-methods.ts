/** Which methods each path takes, for 405 and its header `Allow` (RFC 9110, 15.5.6). */
export class MethodTable {
  readonly #routes = new Map<string, { pattern: RegExp; methods: Set<string> }>();

  /** `url`: a route's, with `:name` for a segment and `*` for the rest. */
  add(method: string | readonly string[], url: string): void {
    const known = this.#routes.get(url) ?? { pattern: patternOf(url), methods: new Set<string>() };
    this.#routes.set(url, known);
    for (const each of [method].flat()) known.methods.add(each);
  }

  /** Returns the methods of the path of a URL, in alphabetical order; none when no route has it. */
  of(url: string): string[] {
    const [path] = url.split('?');
    const matching = [...this.#routes.values()].filter(({ pattern }) => pattern.test(path));
    return [...new Set(matching.flatMap(({ methods }) => [...methods]))].sort();
  }
}

function patternOf(url: string): RegExp {
  const parts = url.split(/(:\w+|\*)/).map((part) => {
    if (part === '*') return '.*';
    return part.startsWith(':') ? '[^/]+' : part.replace(/[.+?^${}()|[\]\\]/g, '\\$&');
  });
  return new RegExp(`^${parts.join('')}$`);
}
