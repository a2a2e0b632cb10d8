import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Cleanups } from '../../src/platform/cleanups.ts';
import { packagePath } from '../../src/platform/package-paths.ts';

const BLOCK =
  /^<!-- not run: needs Kafka and a ClickHouse server; (to its end|each in a shell of its own) -->\n```sh\n([\s\S]*?)^```$/gm;
const TIMEOUT_MS = 300_000;

/** A program that was started as a reader would paste its line. */
export interface Shell {
  child: ChildProcess;
  output: () => string;
}

/** A page whose commands need a broker and a store, in a folder of its own with the example configurations. */
export class PastedPage {
  readonly directory = mkdtempSync(join(tmpdir(), 'zerorate-page-'));
  readonly endings = new Cleanups();
  readonly #move: (text: string) => string;

  /** `move` puts the addresses of the test's servers in place of those that the page has. */
  constructor(move: (text: string) => string) {
    this.#move = move;
    this.endings.add(async () => rmSync(this.directory, { recursive: true, force: true }));
    for (const name of ['bin', 'dist', 'examples', 'schemas'])
      symlinkSync(packagePath(name), join(this.directory, name));
    mkdirSync(join(this.directory, 'fixtures'));
    const demo = join(this.directory, 'fixtures', 'demo');
    cpSync(packagePath('fixtures/demo'), demo, { recursive: true });
    for (const name of readdirSync(demo).filter((name) => name.endsWith('.yaml'))) {
      writeFileSync(join(demo, name), move(readFileSync(join(demo, name), 'utf8')));
    }
  }

  /** Returns the page's blocks in its order: whether each ends by itself, and its script. */
  blocksOf(path: string): { how: string; script: string }[] {
    const text = this.#move(readFileSync(packagePath(path), 'utf8'));
    return [...text.matchAll(BLOCK)].map(([, how, script]) => ({ how, script }));
  }

  /** Resolves with what the script prints; the first command that fails ends it. */
  async runToEnd(script: string): Promise<string> {
    const options = { cwd: this.directory, timeout: TIMEOUT_MS };
    return (await promisify(execFile)('bash', ['-euo', 'pipefail', '-c', script], options)).stdout;
  }

  /** Resolves when the program has printed that it runs. */
  async startInShell(line: string, running: RegExp): Promise<Shell> {
    const child = spawn('bash', ['-c', line.replace('bin/zerorate', 'exec bin/zerorate')], { cwd: this.directory });
    this.endings.add(async () => child.kill());
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (output += String(text)));
    while (!running.test(output)) {
      if (child.exitCode !== null) throw new Error(`${line}\n${output}`);
      await pause(50);
    }
    return { child, output: () => output };
  }
}
