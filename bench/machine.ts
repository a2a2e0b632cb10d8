import { readFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { packagePath } from '../src/platform/package-paths.ts';

/** What the figures were measured on. */
export function machine(): string {
  const { dependencies } = JSON.parse(readFileSync(packagePath('package.json'), 'utf8'));
  const versions = ['chdb', 'kafkajs'].map((name) => `${name} ${dependencies[name]}`).join(', ');
  const memory = `${Math.round(totalmem() / 2 ** 30)} GiB`;
  return `${cpus().length} x ${cpus()[0].model}, ${memory}, Node ${process.version}, ${versions}`;
}
