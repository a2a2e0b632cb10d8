/** Text that is HTML already, and is inserted into other HTML unchanged. */
export class HtmlText {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  toString(): string {
    return this.#text;
  }
}

type Inner = HtmlText | string | number | bigint | readonly Inner[];

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/**
 * Returns a template of HTML or SVG. Inserted values are escaped unless they are HTML; the items of a list follow each
 * other.
 */
export function html(parts: TemplateStringsArray, ...inner: readonly Inner[]): HtmlText {
  return new HtmlText(parts.map((part, at) => (at === 0 ? part : `${textOf(inner[at - 1])}${part}`)).join(''));
}

function textOf(inner: Inner): string {
  if (Array.isArray(inner)) return inner.map(textOf).join('');
  if (inner instanceof HtmlText) return inner.toString();
  return String(inner).replace(/[&<>"']/g, (character) => ESCAPES[character]);
}
