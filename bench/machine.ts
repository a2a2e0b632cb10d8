import { readFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { packagePath } from '../src/platform/package-paths.ts';

/** What the figures were measured on, and with which Node.js. */
export function machine(nodeVersion = process.version): string {
  const { dependencies } = JSON.parse(readFileSync(packagePath('package.json'), 'utf8'));
  const versions = ['chdb', 'kafkajs'].map((name) => `${name} ${dependencies[name]}`).join(', ');
  const memory = `${Math.round(totalmem() / 2 ** 30)} GiB`;
  return `${cpus().length} x ${cpus()[0].model}, ${memory}, Node ${nodeVersion}, ${versions}`;
}
