import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { builtModule } from '../servers/built.ts';

export interface Finished {
  code: number;
  stdout: string;
  stderr: string;
}

/** The program as a user runs it, in a process and a folder of its own. */
export class Zerorate {
  readonly directory: string;
  readonly #main: string;

  private constructor(main: string, directory: string) {
    this.#main = main;
    this.directory = directory;
  }

  static async build(): Promise<Zerorate> {
    return new Zerorate(await builtModule('main.js'), await mkdtemp(join(tmpdir(), 'zerorate-cli-')));
  }

  path(name: string): string {
    return join(this.directory, name);
  }

  run(args: readonly string[], options: { input?: string; env?: Record<string, string> } = {}): Promise<Finished> {
    return new Promise((resolve) => {
      const env = { ...process.env, ...options.env };
      const settings = { cwd: this.directory, env, maxBuffer: 1 << 26 };
      const child = execFile(process.execPath, [this.#main, ...args], settings, (error, stdout, stderr) =>
        resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
      );
      child.stdin?.end(options.input ?? '');
    });
  }

  async rows<T>(sql: string, store: string): Promise<T[]> {
    const { code, stdout, stderr } = await this.run(['query', sql, '--store', store, '--format', 'JSONEachRow']);
    if (code !== 0) throw new Error(stderr);
    return stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line));
  }

  remove(): Promise<void> {
    return rm(this.directory, { recursive: true, force: true });
  }
}
