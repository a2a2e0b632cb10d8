export interface Sample {
  name: string;
  labels: Readonly<Record<string, string>>;
  value: number;
}

export interface Scrape {
  /** Types of every exported metric, with or without a value. */
  types: ReadonlyMap<string, string>;
  samples: readonly Sample[];
}

export async function scrape(port: number): Promise<Scrape> {
  const response = await fetch(`http://127.0.0.1:${port}/metrics`);
  if (response.status !== 200) throw new Error(`/metrics answers ${response.status}: ${await response.text()}`);
  return parseExposition(await response.text());
}

/** Parses the part of Prometheus's text format that prom-client writes. Throws at any other line. */
export function parseExposition(text: string): Scrape {
  const types = new Map<string, string>();
  const samples: Sample[] = [];
  for (const line of text.split('\n')) {
    const type = /^# TYPE (\S+) (\S+)$/.exec(line);
    if (type !== null) types.set(type[1], type[2]);
    if (line === '' || line.startsWith('#')) continue;
    const sample = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line);
    if (sample === null) throw new Error(`not a sample: ${line}`);
    const [, name, pairs = '', value] = sample;
    const labels = Object.fromEntries(
      [...pairs.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, label, of]) => [label, of.replaceAll(/\\(.)/g, '$1')]),
    );
    samples.push({ name, labels, value: value === '+Inf' ? Number.POSITIVE_INFINITY : Number(value) });
  }
  return { types, samples };
}

/** Returns the sum of a metric's samples that have these labels; null where there is none. */
export function metricOf({ samples }: Scrape, name: string, labels: Record<string, string> = {}): number | null {
  const own = samples.filter(
    (sample) => sample.name === name && Object.entries(labels).every(([label, of]) => sample.labels[label] === of),
  );
  return own.length === 0 ? null : own.reduce((sum, { value }) => sum + value, 0);
}
