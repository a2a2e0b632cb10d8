import { writeFileSync } from 'node:fs';
import { packagePath } from '../../src/platform/package-paths.ts';
import { referencePages } from './reference-pages.ts';

for (const [name, text] of Object.entries(await referencePages())) {
  writeFileSync(packagePath(`docs/reference/${name}`), text);
}
