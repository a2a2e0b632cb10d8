import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Writes `NAME.json` and `NAME.md` into the folder, and prints the second. */
export async function writeResults(folder: string, name: string, results: object, markdown: string): Promise<void> {
  process.stdout.write(`\n${markdown}\n`);
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, `${name}.json`), `${JSON.stringify(results, null, 2)}\n`);
  await writeFile(join(folder, `${name}.md`), `${markdown}\n`);
}

/** A number as a table shows it. */
export function figure(value: number, digits = 0): string {
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}
