import { parseSync, Visitor } from 'oxc-parser';

/** A piece of a source file that is read by people. */
export interface SourceText {
  kind: 'text' | 'comment' | 'name';
  text: string;
  /** Where it begins in the file. */
  offset: number;
}

/** Returns the string literals, pieces of templates, comments and declared or used names of a TypeScript file. */
export function sourceTexts(file: string, code: string): SourceText[] {
  const { program, comments, errors } = parseSync(file, code);
  if (errors.length > 0) throw new Error(`${file}: ${errors[0].message}`);
  const texts: SourceText[] = comments.map(({ value, start }) => ({ kind: 'comment', text: value, offset: start + 2 }));
  const add = (kind: SourceText['kind'], text: string, offset: number) => texts.push({ kind, text, offset });
  new Visitor({
    Literal({ value, start }) {
      if (typeof value === 'string') add('text', value, start + 1);
    },
    TemplateElement({ value, start }) {
      add('text', value.raw, start);
    },
    Identifier({ name, start }) {
      add('name', name, start);
    },
    PrivateIdentifier({ name, start }) {
      add('name', name, start);
    },
  }).visit(program);
  return texts;
}

/** The line of an offset, from 1. */
export function lineOf(code: string, offset: number): number {
  return code.slice(0, offset).split('\n').length;
}
