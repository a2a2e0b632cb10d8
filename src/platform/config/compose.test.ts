import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { packagePath } from '../package-paths.ts';
import { CONFIG_VARIABLES } from './config-variables.ts';

interface Service {
  image: string;
  build?: object;
  environment?: Record<string, string | number>;
  ports?: string[];
  volumes?: string[];
  secrets?: string[];
  healthcheck?: object;
  mem_limit?: string;
  depends_on?: Record<string, { condition: string }>;
}
const { services, secrets, volumes } = parse(readFileSync(packagePath('docker/compose.yaml'), 'utf8')) as {
  services: Record<string, Service>;
  secrets: Record<string, { file: string }>;
  volumes: Record<string, null>;
};

test.each(Object.entries(services))(
  '%s: a version, a limit, secrets from files, nothing open to the network',
  (name, service) => {
    expect(service.image).toMatch(/:v?\d+\.\d+/);
    expect(service.mem_limit).toBeDefined();
    for (const port of service.ports ?? []) expect(port).toMatch(/^127\.0\.0\.1:/);
    for (const secret of service.secrets ?? []) expect(secrets).toHaveProperty(secret);
    for (const [variable, value] of Object.entries(service.environment ?? {})) {
      if (/PASSWORD|KEY|SECRET/.test(variable)) expect(`${variable}=${value}`).toMatch(/_FILE=\/run\/secrets\//);
      if (name === 'engine') expect(CONFIG_VARIABLES).toHaveProperty(variable);
    }
    for (const volume of service.volumes ?? []) {
      if (!volume.startsWith('./')) expect(volumes).toHaveProperty(volume.split(':')[0]);
    }
    for (const [other, { condition }] of Object.entries(service.depends_on ?? {})) {
      expect(services).toHaveProperty(other);
      // The image of the engine says itself how its health is asked for.
      if (condition === 'service_healthy') expect(services[other].healthcheck).toBeDefined();
    }
  },
);

test('the engine is confined, and is given the time that it takes to end', () => {
  expect(services.engine).toMatchObject({
    read_only: true,
    cap_drop: ['ALL'],
    security_opt: ['no-new-privileges:true'],
    stop_grace_period: '15s',
  });
});
