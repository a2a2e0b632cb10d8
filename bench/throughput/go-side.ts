import { execFile, spawnSync } from 'node:child_process';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { applications } from './dataset.ts';

/** Where Go is looked for: what the environment variable GO names; else the search path, and where its own archive is unpacked. */
const PLACES = process.env.GO ? [process.env.GO] : ['go', '/usr/local/go/bin/go'];

/** Returns the first of them that runs; null when none does. */
export function findGo(places: readonly string[] = PLACES): string | null {
  return places.find((place) => spawnSync(place, ['version'], { stdio: 'ignore' }).status === 0) ?? null;
}

/** Tests and compiles the peer; resolves with the program's path. Its modules come from Go's proxy the first time. */
export async function buildPeer(go: string): Promise<string> {
  const program = join(await mkdtemp(join(tmpdir(), 'zerorate-bench-go-')), 'peer');
  const cwd = fileURLToPath(new URL('go', import.meta.url));
  await promisify(execFile)(go, ['test', '.'], { cwd });
  await promisify(execFile)(go, ['build', '-o', program, '.'], { cwd });
  return program;
}

/** The catalogue, as the peer reads it from its environment. */
export function peerApplications(): string {
  return JSON.stringify(
    applications().map(({ id, sponsor, tags, prefixes, pricePerMiB }) => ({
      id,
      sponsor,
      tag: tags[0],
      prefix: prefixes[0],
      microsPerMiB: Math.round(Number(pricePerMiB) * 1e6),
    })),
  );
}
