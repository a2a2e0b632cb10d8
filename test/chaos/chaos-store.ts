import { type ClickHouseProcess, startClickHouseProcess } from '../../src/development/servers/clickhouse-process.ts';

/** ClickHouse in its own process, which can be killed, and restarts over the same data and on the same port. */
export class ChaosStore {
  readonly #path: string;
  readonly #port: number;
  #process: ClickHouseProcess | null = null;
  /** How often it ended unexpectedly. */
  died = 0;

  constructor(path: string, port: number) {
    this.#path = path;
    this.#port = port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  async start(): Promise<void> {
    this.#process = await startClickHouseProcess({ path: this.#path, port: this.#port });
  }

  async kill(): Promise<void> {
    await this.#process?.kill();
    this.#process = null;
  }

  async stop(): Promise<void> {
    await this.#process?.stop();
    this.#process = null;
  }

  /** Restarts it if it has ended. */
  async revive(): Promise<void> {
    if (this.#process !== null && isAlive(this.#process.pid)) return;
    this.died++;
    await this.start();
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
