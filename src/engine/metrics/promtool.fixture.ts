import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { stringify } from 'yaml';
import { packagePath } from '../../platform/package-paths.ts';
import type { Sample, Scrape } from './scrape.fixture.ts';

export const RULES = packagePath('docker/prometheus/alerts.yaml');
/** Labels that Prometheus adds to a scrape. */
const TARGET = { job: 'zerorate', instance: 'engine' };

export interface Promtool {
  code: number;
  output: string;
}

/** Runs promtool, from Debian's package `prometheus`, or the program that PROMTOOL names. */
export function promtool(...args: string[]): Promise<Promtool> {
  return new Promise((resolve, reject) => {
    execFile(process.env.PROMTOOL ?? 'promtool', args, (error, stdout, stderr) => {
      if (error !== null && error.code === 'ENOENT')
        reject(new Error('there is no promtool: apt-get install prometheus'));
      else resolve({ code: error === null ? 0 : Number(error.code), output: stdout + stderr });
    });
  });
}

/** A scrape, and the minutes until it: counters rise evenly, gauges move at the end. */
export interface Scraped {
  scrape: Scrape;
  minutes: number;
}

/** Applies Prometheus's own rules to scrapes of an engine: exactly these alerts must fire at the end. */
export async function expectAlerts(scraped: readonly Scraped[], alerts: readonly string[]): Promise<void> {
  const minutes = scraped.reduce((sum, one) => sum + one.minutes, 0);
  const document = {
    rule_files: [RULES],
    evaluation_interval: '1m',
    tests: [
      {
        interval: '1m',
        input_series: [
          { series: 'up{job="zerorate", instance="engine"}', values: `1x${minutes}` },
          ...seriesOf(scraped),
        ],
        promql_expr_test: [
          {
            expr: 'count by (alertname) (ALERTS{alertstate="firing"})',
            eval_time: `${minutes}m`,
            exp_samples: alerts.map((alertname) => ({ labels: `{alertname="${alertname}"}`, value: 1 })),
          },
        ],
      },
    ],
  };
  const directory = await mkdtemp(join(tmpdir(), 'zerorate-alerts-'));
  const path = join(directory, 'scraped.yaml');
  await writeFile(path, stringify(document));
  const { code, output } = await promtool('test', 'rules', path);
  await rm(directory, { recursive: true });
  expect(code, output).toBe(0);
}

function seriesOf(scraped: readonly Scraped[]): { series: string; values: string }[] {
  const all = new Map<string, { isCounter: boolean; values: (number | null)[] }>();
  scraped.forEach(({ scrape: { types, samples } }, at) => {
    for (const sample of samples.filter(({ name }) => name.startsWith('zerorate_'))) {
      const isCounter = types.get(sample.name) !== 'gauge';
      const series = all.get(nameOf(sample)) ?? { isCounter, values: scraped.map(() => null) };
      series.values[at] = sample.value;
      all.set(nameOf(sample), series);
    }
  });
  return [...all].map(([series, { isCounter, values }]) => {
    const parts = values.map((value, at) => {
      const { minutes } = scraped[at];
      const before = at === 0 ? value : values[at - 1];
      if (value === null) return `_x${minutes}`;
      // A counter that fell was restarted with another process.
      if (!isCounter || before === null || value <= before) return `${value}x${minutes - 1}`;
      const step = (value - before) / minutes;
      return `${before + step}+${step}x${minutes - 1}`;
    });
    return { series, values: parts.join(' ') };
  });
}

function nameOf({ name, labels }: Sample): string {
  const pairs = Object.entries({ ...TARGET, ...labels }).map(([label, value]) => `${label}=${JSON.stringify(value)}`);
  return `${name}{${pairs.join(', ')}}`;
}
