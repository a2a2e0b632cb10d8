import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { expect, test } from 'vitest';
import { slugOf } from '../../docs/.vitepress/slug.ts';
import { packagePath } from '../../src/platform/package-paths.ts';
import { filesUnder } from './files-under.ts';

const PAGES = [
  ...readdirSync(packagePath('.')).filter((name) => name.endsWith('.md')),
  ...filesUnder(['docs', 'examples', '.github'], /\.md$/),
];
const read = (path: string) => readFileSync(packagePath(path), 'utf8').replace(/^```[\s\S]*?^```$/gm, '');

/** Returns the anchors that a page's headings have, in the site and at GitHub. */
function anchorsOf(page: string): Set<string> {
  const headings = [...read(page).matchAll(/^#{1,6} (.+)$/gm)];
  return new Set(
    headings.map(([, title]) => slugOf(title.replaceAll('`', '').replace(/\[([^\]]+)\]\([^)]*\)/g, '$1'))),
  );
}

/** Returns what is wrong with a link of a page; null where it leads to a file and a heading. */
function faultOf(page: string, link: string): string | null {
  const [path, anchor] = link.split('#');
  const target =
    path === '' ? page : path.startsWith('/') ? join('docs/public', path) : normalize(join(dirname(page), path));
  if (!existsSync(packagePath(target))) return `${page}: ${link}: no such file`;
  if (page.startsWith('docs/') && !target.startsWith('docs/'))
    return `${page}: ${link}: not on the site; write its path`;
  if (anchor === undefined || anchorsOf(target).has(anchor)) return null;
  return `${page}: ${link}: no such heading`;
}

test('every link in the documents leads to a file, and its anchor to a heading', () => {
  const links = PAGES.flatMap((page) => {
    const found = read(page).matchAll(/\]\(([^)\s]+)\)|(?:src|href)="([^"]+)"/g);
    return [...found].map(([, link, attribute]) => [page, link ?? attribute] as const);
  }).filter(([, link]) => !/^[a-z]+:/.test(link));
  expect(links.length).toBeGreaterThan(100);
  expect(links.map(([page, link]) => faultOf(page, link)).filter((fault) => fault !== null)).toEqual([]);
});

test('every page that source, schemas and configurations name exists', () => {
  const files = filesUnder(['src', 'test', 'bench', 'fixtures', 'schemas', 'docker'], /\.(ts|yaml|json|py|avsc|txt)$/);
  const named = files.flatMap((file) =>
    [...readFileSync(packagePath(file), 'utf8').matchAll(/(?<![\w./])docs\/[\w/-]+\.md/g)].map(([path]) => path),
  );
  expect(named.length).toBeGreaterThan(30);
  expect(named.filter((path) => !existsSync(packagePath(path)))).toEqual([]);
});
