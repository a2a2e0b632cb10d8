import { generateKeyPairSync } from 'node:crypto';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { parse } from 'yaml';
import * as z from 'zod';
import { readGatewayConfig } from '../../src/cli/sessions/gateway.ts';
import { readConfig } from '../../src/engine/assembly/read-config.ts';
import { configSchema } from '../../src/platform/config/config-schema.ts';
import { ENGINE_RENAMES } from '../../src/platform/config/engine-renames.ts';
import type { KeyRename } from '../../src/platform/config/renamed-keys.ts';
import { packagePath } from '../../src/platform/package-paths.ts';
import { readDispatchConfig } from '../../src/sessions/dispatch/dispatch-config.ts';
import { DISPATCH_RENAMES, dispatchConfigSchema } from '../../src/sessions/dispatch/dispatch-config-schema.ts';
import { GATEWAY_RENAMES, gatewaySchema } from '../../src/sessions/gateway/gateway-config.ts';
import { loadProxyConfig } from '../../src/sessions/proxy/load-proxy-config.ts';
import { PROXY_RENAMES, proxyConfigSchema } from '../../src/sessions/proxy/proxy-config-schema.ts';

interface Configuration {
  file: string;
  schema: z.ZodType;
  renames: readonly KeyRename[];
  read: (file: string) => unknown;
}

const ENV = { ZERORATE_PSEUDONYM_KEY: 'ab'.repeat(32) };
const CONFIGURATIONS: Configuration[] = [
  {
    file: 'zerorate.yaml',
    schema: configSchema,
    renames: ENGINE_RENAMES,
    read: (file) => readConfig({ config: file }),
  },
  {
    file: 'dispatch.yaml',
    schema: dispatchConfigSchema,
    renames: DISPATCH_RENAMES,
    read: (file) => readDispatchConfig(file, ENV),
  },
  {
    file: 'proxy.yaml',
    schema: proxyConfigSchema,
    renames: PROXY_RENAMES,
    read: (file) => loadProxyConfig({ file, env: {}, readFile: (path) => readFileSync(path, 'utf8') }),
  },
  {
    file: 'gateway.yaml',
    schema: gatewaySchema,
    renames: GATEWAY_RENAMES,
    read: (file) => readGatewayConfig(file, {}),
  },
];

interface JsonSchema {
  properties?: Record<string, JsonSchema>;
  items?: JsonSchema;
  additionalProperties?: JsonSchema | boolean;
  anyOf?: JsonSchema[];
}

/** The paths of a schema's keys; `*` is any key or entry. */
function keysOf(schema: JsonSchema, above: readonly string[] = []): string[][] {
  const { properties = {}, items, additionalProperties, anyOf = [] } = schema;
  const each = [items, additionalProperties].filter((child) => typeof child === 'object');
  return [
    ...Object.entries(properties).flatMap(([key, child]) => [[...above, key], ...keysOf(child, [...above, key])]),
    ...each.flatMap((child) => [[...above, '*'], ...keysOf(child, [...above, '*'])]),
    ...anyOf.flatMap((child) => keysOf(child, above)),
  ];
}

const pathsOf = (schema: z.ZodType) => keysOf(z.toJSONSchema(schema, { io: 'input' }) as JsonSchema);

const DURATION = /(Ms|Millis|Seconds?|Secs?|Minutes?|Hours?|Days?)$/;
/** A skew is no duration of anything: it is the difference of two clocks. */
const SUFFIX = /(^i|I)ntervalMs$|(^t|T)imeoutMs$|(^d|D)elayMs$|(^l|L)ifetimeMs$|SkewMs$/;

test.each(CONFIGURATIONS)('$file: durations are named by the suffixes of style.md', ({ schema }) => {
  const names = pathsOf(schema)
    .map((path) => path.at(-1) ?? '')
    .filter((name) => DURATION.test(name));
  expect(names.length).toBeGreaterThan(0);
  expect(names.filter((name) => !SUFFIX.test(name))).toEqual([]);
});

test.each(CONFIGURATIONS)('$file: TLS has one form, a map `tls` of caFile, certFile and keyFile', ({ schema }) => {
  const paths = pathsOf(schema);
  const ofTls = paths.filter((path) => path.includes('tls')).map((path) => path.slice(path.indexOf('tls') + 1));
  for (const [name = 'caFile', ...deeper] of ofTls) {
    expect(['caFile', 'certFile', 'keyFile']).toContain(name);
    expect(deeper).toEqual([]);
  }
  const elsewhere = paths.filter(
    (path) => path.at(-2) !== 'tls' && /^(ssl|ca|cert|key)$|(ca|cert|^key)File$/i.test(path.at(-1) ?? ''),
  );
  expect(elsewhere).toEqual([]);
});

test.each(CONFIGURATIONS)(
  '$file: a rename leads from a key that is gone to one that is there',
  ({ schema, renames }) => {
    const known = new Set(pathsOf(schema).map((path) => path.join('.')));
    const wildcards = (path: readonly string[]) => {
      const found: string[] = [];
      for (const step of path) found.push(known.has([...found, step].join('.')) ? step : '*');
      return found.join('.');
    };
    expect(renames.filter(({ from }) => known.has(wildcards(from)))).toEqual([]);
    expect(renames.map(({ to }) => wildcards(to)).filter((path) => !known.has(path))).toEqual([]);
  },
);

type Tree = Record<string, unknown>;
let folder: string;
const stderr = vi.spyOn(process.stderr, 'write').mockImplementation(() => true);

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'zerorate-keys-'));
  cpSync(packagePath('fixtures/demo'), folder, { recursive: true });
  const { privateKey } = generateKeyPairSync('ed25519');
  writeFileSync(join(folder, 'operator.secret'), 'operator-0123456789');
  writeFileSync(join(folder, 'proxy-1.secret'), 'proxies-0123456789');
  writeFileSync(join(folder, 'operator.key'), privateKey.export({ type: 'pkcs8', format: 'pem' }));
  vi.stubEnv('ZERORATE_PSEUDONYM_KEY', ENV.ZERORATE_PSEUDONYM_KEY);
});
afterEach(() => stderr.mockClear());
afterAll(() => {
  rmSync(folder, { recursive: true });
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

/** Gives a document's keys the names of the version before; returns how many there are. */
function withFormerNames(node: unknown, to: readonly string[], from: readonly string[], factor = 1): number {
  const [step, ...deeper] = to;
  if (typeof node !== 'object' || node === null) return 0;
  const map = node as Tree;
  const keys = step === '*' ? Object.keys(map) : step in map ? [step] : [];
  if (deeper.length > 0 && (step === '*' || step === from[0])) {
    return keys.reduce((sum, key) => sum + withFormerNames(map[key], deeper, from.slice(1), factor), 0);
  }
  // The rest of the way differs, and has no wildcard.
  const value = to.reduce<unknown>((at, key) => (at as Tree | undefined)?.[key], map);
  if (value === undefined) return 0;
  delete map[step];
  const holder = from.slice(0, -1).reduce((at, key) => {
    at[key] ??= {};
    return at[key] as Tree;
  }, map);
  holder[from[from.length - 1]] = typeof value === 'number' ? value / factor : value;
  return 1;
}

test.each(CONFIGURATIONS)(
  '$file: former names give the same configuration, each with one warning',
  ({ file, renames, read }) => {
    const document = parse(readFileSync(join(folder, file), 'utf8')) as Tree;
    const today = read(join(folder, file));
    expect(stderr).not.toHaveBeenCalled();
    const count = renames.reduce((sum, { from, to, factor }) => sum + withFormerNames(document, to, from, factor), 0);
    expect(count).toBeGreaterThan(0);
    const former = join(folder, `former-${file}`);
    writeFileSync(former, JSON.stringify(document, null, 2));
    expect(read(former)).toEqual(today);
    const lines = stderr.mock.calls.map(([line]) => String(line));
    expect(lines).toHaveLength(count);
    for (const line of lines) {
      expect(line).toMatch(
        /^WARNING: .*former-\w+\.yaml:\d+: [\w.*[\]-]+: is now called [\w.-]+(, in milliseconds)?; rename it: .*\n$/,
      );
    }
    // A reload reads it again.
    read(former);
    expect(stderr).toHaveBeenCalledTimes(count);
  },
);

test.each(CONFIGURATIONS)(
  '$file: a key under both of its names is refused with its line',
  ({ file, renames, read }) => {
    const text = readFileSync(join(folder, file), 'utf8');
    const document = parse(text) as Tree;
    const [{ from, to }] = renames;
    expect(withFormerNames(document, to, from)).toBe(1);
    const [top] = from;
    const both = { ...document, [top]: { ...(document[top] as Tree), ...(parse(text)[top] as Tree) } };
    const path = join(folder, `both-${file}`);
    writeFileSync(path, JSON.stringify(both, null, 2));
    expect(() => read(path)).toThrow(
      /both-\w+\.yaml:\d+: \S+: is the former name of \S+, which is set too; remove this one/,
    );
  },
);

test('former variables are read with a warning, and refused beside the names of today', () => {
  const file = join(folder, 'zerorate.yaml');
  vi.stubEnv('ZERORATE_CREDIT_CHECK_EVERY_MS', '700');
  expect(readConfig({ config: file }).credit.checkIntervalMs).toBe(700);
  expect(stderr.mock.calls.map(([line]) => line)).toEqual([
    'WARNING: ZERORATE_CREDIT_CHECK_EVERY_MS: is now called ZERORATE_CREDIT_CHECK_INTERVAL_MS; rename it: the former name is read by this version only\n',
  ]);
  vi.stubEnv('ZERORATE_CREDIT_CHECK_INTERVAL_MS', '800');
  expect(() => readConfig({ config: file })).toThrow(
    'ZERORATE_CREDIT_CHECK_EVERY_MS: is the former name of ZERORATE_CREDIT_CHECK_INTERVAL_MS, which is set too; remove this one',
  );
});

test('a key that never was is still unknown, and the nearest of today is suggested', () => {
  const path = join(folder, 'unknown.yaml');
  writeFileSync(
    path,
    readFileSync(join(folder, 'zerorate.yaml'), 'utf8').replace('checkIntervalMs: 1000', 'checkIntervalSecs: 1'),
  );
  expect(() => readConfig({ config: path })).toThrow(
    /unknown\.yaml:\d+: credit\.checkIntervalSecs: unknown key \(did you mean "checkIntervalMs"\?\)/,
  );
});
