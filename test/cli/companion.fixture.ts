import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { load } from 'js-yaml';
import { packagePath } from '../../src/platform/package-paths.ts';
import { builtModule } from '../servers/built.ts';
import type { Zerorate } from './zerorate.fixture.ts';

const WITHIN_MS = 90_000;

/** `applications` of a dispatch server of the demo catalogue that gives no sessions, and so needs no way of proving accounts. */
export function withoutAccounts(): object {
  const catalogue = load(readFileSync(packagePath('fixtures/demo/catalogue.yaml'), 'utf8')) as {
    applications: { id: string }[];
  };
  return Object.fromEntries(catalogue.applications.map(({ id }) => [id, { account: { way: 'none' } }]));
}

/** A companion as its operator runs it: its process, and all that it prints. */
export class RunningCompanion {
  readonly #child: ChildProcess;
  readonly ended: Promise<number | null>;
  printed = '';

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.ended = once(child, 'close').then(([code]) => code);
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (chunk) => {
        this.printed += chunk;
      });
    }
  }

  static async start(zerorate: Zerorate, args: string[], env: Record<string, string> = {}): Promise<RunningCompanion> {
    const options = { cwd: zerorate.directory, env: { ...process.env, ...env } };
    return new RunningCompanion(spawn(process.execPath, [await builtModule('main.js'), ...args], options));
  }

  get lines(): string[] {
    return this.printed.split('\n').filter((line) => line !== '');
  }

  async until(isTrue: () => boolean | Promise<boolean>, what: string): Promise<void> {
    const giveUpAtMs = performance.now() + WITHIN_MS;
    while (!(await isTrue())) {
      if (performance.now() > giveUpAtMs || this.#child.exitCode !== null)
        throw new Error(`no ${what}:\n${this.printed}`);
      await pause(50);
    }
  }

  prints(text: string): Promise<void> {
    return this.until(() => this.printed.includes(text), text);
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  stop(): Promise<number | null> {
    this.signal('SIGTERM');
    return this.ended;
  }
}

/** A proxy of dispatch.yaml, all of whose addresses are one. */
export function pinnedProxy(secretVariable: string, address: string): object {
  return {
    secretVariable,
    controlUrl: `http://${address}`,
    endpoints: { connect: `http://${address}`, socks5: `socks5://${address}`, relay: `ws://${address}` },
    applications: ['chatter'],
  };
}
