import { expect, test } from 'vitest';
import { formatFault } from '../../formats/document-fault.ts';
import { loadConfig } from '../config/load-config.ts';

const KAFKA = `catalogue: c
source:
  kafka:
    brokers: [k:9092]
    topic: t
`;
const EMBEDDED = 'store: { dir: s }\n';

test.each<[string, string, string[]]>([
  [
    'SASL without user',
    `${KAFKA}    sasl: { mechanism: plain, passwordFile: sasl.txt, scope: s }\n${EMBEDDED}`,
    [
      'z.yaml:6: source.kafka.sasl.username: is missing: plain needs it',
      'z.yaml:6: source.kafka.sasl.scope: has no meaning with plain',
    ],
  ],
  [
    'tokens without their secret',
    `${KAFKA}    sasl: { mechanism: oauthbearer, tokenUrl: "https://h/t", clientId: c }\n${EMBEDDED}`,
    ['z.yaml:6: source.kafka.sasl: no client secret: set ZERORATE_KAFKA_OAUTH_CLIENT_SECRET or clientSecretFile'],
  ],
  [
    'tokens by a way that shows the secret',
    `${KAFKA}    sasl: { mechanism: oauthbearer, tokenUrl: "http://h/t", clientId: c, clientSecret: geheim }\n${EMBEDDED}`,
    [
      'z.yaml:6: source.kafka.sasl.clientSecret: a secret does not belong into this file: set ZERORATE_KAFKA_OAUTH_CLIENT_SECRET or source.kafka.sasl.clientSecretFile',
      'z.yaml:6: source.kafka.sasl.tokenUrl: expected https://host/path',
    ],
  ],
  [
    'a registry with a secret in its address',
    `${KAFKA}    avro: { registry: { url: "https://u:geheim@h" } }\n${EMBEDDED}`,
    [
      'z.yaml:6: source.kafka.avro.registry.url: a URL with a user or password in it is refused: use username, and ZERORATE_REGISTRY_PASSWORD or passwordFile',
    ],
  ],
  [
    'a registry without password, and certificates without TLS',
    `${KAFKA}    avro: { registry: { url: "http://h", username: u, tls: { caFile: c } } }\n${EMBEDDED}`,
    [
      'z.yaml:6: source.kafka.avro.registry.tls: has a meaning with https:// only',
      'z.yaml:6: source.kafka.avro.registry: no password: set ZERORATE_REGISTRY_PASSWORD or passwordFile',
    ],
  ],
  [
    'a registry where no record names a schema',
    `${KAFKA}    avro: { header: bare, registry: { url: "http://h" } }\n${EMBEDDED}`,
    ['z.yaml:6: source.kafka.avro.registry: has a meaning only with Avro records that have a Confluent header'],
  ],
])('names %s', (_case, yaml, faults) => {
  const files: Record<string, string> = { 'z.yaml': yaml };
  const readFile = (path: string) => files[path.slice(path.lastIndexOf('/') + 1)] ?? 'a secret';
  const lines = (loadConfig({ file: 'z.yaml', env: {}, readFile }).faults ?? []).map(formatFault);
  expect(lines).toEqual(faults);
  expect(lines.join()).not.toContain('geheim');
});
