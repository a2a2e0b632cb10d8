/** Keys and list indexes from a document's root. */
export type DocumentPath = readonly (string | number)[];

/** One thing that is wrong with a document that a user wrote. */
export interface DocumentFault {
  /** The file's name as the user gave it, or what else the value came from (an environment variable). */
  file: string;
  /** 1-based; null when no line can be named. */
  line: number | null;
  /** As `formatPath` writes it; empty for the document as a whole. */
  path: string;
  /** What is wrong and how to put it right; one line. */
  message: string;
}

/** One line: `file:line: path: message`. */
export function formatFault({ file, line, path, message }: DocumentFault): string {
  const place = line === null ? file : `${file}:${line}`;
  return path === '' ? `${place}: ${message}` : `${place}: ${path}: ${message}`;
}

/** `plans[2].tiers[0].pricePerMiB` */
export function formatPath(path: DocumentPath): string {
  return path.map(formatStep).join('').replace(/^\./, '');
}

function formatStep(step: string | number): string {
  if (typeof step === 'number') return `[${step}]`;
  return /^[\w-]+$/.test(step) ? `.${step}` : `[${JSON.stringify(step)}]`;
}
