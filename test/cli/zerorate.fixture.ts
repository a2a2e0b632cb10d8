import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { packagePath } from '../../src/platform/package-paths.ts';
import { builtModule } from '../servers/built.ts';

export interface Finished {
  /** Of a process that a signal ended: KILLED. */
  code: number;
  stdout: string;
  stderr: string;
}

export const KILLED = -1;
const MAX_OUTPUT_BYTES = 1 << 26;
const ROOT = packagePath('.');
const QUERY = `
const { Session } = require('chdb');
const [directory, ...statements] = process.argv.slice(1);
const session = new Session(directory);
process.stdout.write(JSON.stringify(statements.map((sql) => session.query(sql, 'JSONEachRow'))));
session.close();`;

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
      const settings = { cwd: this.directory, env, maxBuffer: MAX_OUTPUT_BYTES };
      const child = execFile(process.execPath, [this.#main, ...args], settings, (error, stdout, stderr) =>
        resolve({ code: error === null ? 0 : Number(error.code ?? KILLED), stdout, stderr }),
      );
      child.stdin?.end(options.input ?? '');
    });
  }

  /** What an embedded store answers to each statement, as JSONEachRow: from one process, without the program's own time. */
  async answers(statements: readonly string[], store: string): Promise<string[]> {
    const args = ['--eval', QUERY, resolve(this.directory, store, 'clickhouse'), ...statements];
    const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: ROOT, maxBuffer: MAX_OUTPUT_BYTES });
    return JSON.parse(stdout);
  }

  async rows<T>(sql: string, store: string): Promise<T[]> {
    const [answer] = await this.answers([sql], store);
    return answer
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line));
  }

  remove(): Promise<void> {
    return rm(this.directory, { recursive: true, force: true });
  }
}
