import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { DevState } from '../../src/development/dev-state.ts';
import { packagePath } from '../../src/platform/package-paths.ts';
import { CHROMIUM } from '../servers/prerequisites.ts';

const START_TIMEOUT_MS = 240_000;
const GONE_TIMEOUT_MS = 20_000;
let folder: string;
let browser: Browser;
let running: ChildProcess | null = null;

beforeAll(async () => {
  folder = join(mkdtempSync(join(tmpdir(), 'zerorate-dev-')), 'dev');
  browser = await chromium.launch({ ...(CHROMIUM && { executablePath: CHROMIUM }), args: ['--no-sandbox'] });
});
afterEach(async () => {
  running?.kill('SIGKILL');
  await noneLeft();
});
afterAll(async () => {
  await browser?.close();
  rmSync(join(folder, '..'), { recursive: true, force: true });
});

/** Resolves with the page's address when everything runs. */
async function startDev(...options: string[]): Promise<{ child: ChildProcess; url: string; output: () => string }> {
  const child = spawn(process.execPath, [packagePath('bin/zerorate'), 'dev', '--directory', folder, ...options]);
  running = child;
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (text) => (output += String(text)));
  while (!output.includes('Three things to try')) {
    if (child.exitCode !== null) throw new Error(`it ended:\n${output}`);
    await pause(100);
  }
  const url = /Everything runs: (http:\/\/127\.0\.0\.1:\d+\/)/.exec(output)?.[1] ?? '';
  return { child, url, output: () => output };
}

/** Processes that have the folder among their arguments. */
function processesOfFolder(): string[] {
  const lines = execFileSync('ps', ['-eo', 'pid,args', '-ww'], { encoding: 'utf8' }).split('\n');
  return lines.filter((line) => line.includes(folder));
}

async function noneLeft(): Promise<string[]> {
  const giveUpAtMs = performance.now() + GONE_TIMEOUT_MS;
  while (processesOfFolder().length > 0 && performance.now() < giveUpAtMs) await pause(100);
  return processesOfFolder();
}

async function openPage(url: string): Promise<{ page: Page; complaints: string[] }> {
  const page = await browser.newPage({ viewport: { width: 1180, height: 900 } });
  const complaints: string[] = [];
  page.on('console', (message) => complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(String(error)));
  await page.goto(url);
  return { page, complaints };
}

test(
  'one command: a text arrives, a file too, both are charged, the page shows it; Ctrl+C leaves no process',
  async () => {
    const { child, url, output } = await startDev();
    const { page, complaints } = await openPage(url);
    const alice = page.getByLabel('Terminal of alice');
    const bob = page.getByLabel('Terminal of bob');
    await alice.getByLabel('Text from alice').fill('hello <b>bob</b>');
    await alice.getByRole('button', { name: 'Send text' }).click();
    await bob.getByText('from alice: hello <b>bob</b>').waitFor();
    await bob.getByRole('button', { name: 'Send a picture' }).click();
    await alice.getByText('from bob: picture.jpg').waitFor();
    await alice.getByRole('button', { name: 'Upload 4 MiB' }).click();
    await alice.getByText('upload of 4194304 octets').waitFor();
    await page.locator('#charges tr', { hasText: 'alice' }).getByText('KWD 0.00').waitFor();
    await page.locator('#charges tr', { hasText: 'bob' }).getByText('KWD 0.00').waitFor();
    // What is left is of the proxy's last report.
    await expect.poll(() => alice.innerText(), { timeout: 30_000 }).toMatch(/remaining quota\s+5\.\d\d MiB \(/);
    expect(await page.locator('#fault').innerText()).toBe('');
    expect(complaints).toEqual([]);

    const state = (await (await fetch(`${url}state`)).json()) as DevState;
    for (const { pid, isRunning } of state.programs) expect([isRunning, typeof pid]).toEqual([true, 'number']);
    for (const headers of [{ origin: 'http://evil.example' }, { 'sec-fetch-site': 'cross-site' }]) {
      const body = JSON.stringify({ action: 'text', from: 'alice', text: 'forged' });
      expect((await fetch(`${url}actions`, { method: 'POST', headers, body })).status).toBe(403);
    }
    expect((await fetch(`${url}actions`, { method: 'POST', body: '{"action": "text"}' })).status).toBe(400);

    child.kill('SIGINT');
    await once(child, 'exit');
    expect(child.exitCode).toBe(0);
    expect(output()).toContain('everything has ended');
    expect(processesOfFolder()).toEqual([]);
  },
  START_TIMEOUT_MS,
);

test(
  'a second start continues with the folder and takes what was changed; what it started ends with it, even when it is killed',
  async () => {
    const file = join(folder, 'dev.yaml');
    writeFileSync(file, readFileSync(file, 'utf8').replace('application: pigeon', 'application: chatter'));
    const { child, url, output } = await startDev();
    expect(output()).toContain('starting from the configurations in');
    const { page } = await openPage(url);
    const alice = page.getByLabel('Terminal of alice');
    await alice.getByText('no limit').first().waitFor();
    await alice.getByLabel('Text from alice').fill('again');
    await alice.getByRole('button', { name: 'Send text' }).click();
    await page.locator('#charges tr', { hasText: 'alice' }).getByText('USD 0.00').waitFor();
    // The store of the first start is there still.
    await page.locator('#outcomes tr', { hasText: 'pigeon' }).first().waitFor();
    expect(processesOfFolder().length).toBeGreaterThan(5);
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(await noneLeft()).toEqual([]);
  },
  START_TIMEOUT_MS,
);
