import { expect, test } from 'vitest';
import { formatFault } from '../../formats/document-fault.ts';
import { loadConfig } from './load-config.ts';

const KAFKA = 'catalogue: c\nsource:\n  kafka:\n    brokers: [k:1]\n    topic: t\n';
const SERVER = 'store: { url: http://ch:8123 }\n';

function load(yaml: string) {
  return loadConfig({
    file: 'z.yaml',
    env: { ZERORATE_PSEUDONYM_KEY: '5a'.repeat(32) },
    overrides: {},
    workingDirectory: '/etc',
    readFile: () => yaml,
  });
}

test('threads share a topic over a ClickHouse server', () => {
  expect(load(`${KAFKA}${SERVER}engine: { threads: 64 }\n`).config?.engine).toEqual({ threads: 64 });
});

test.each([
  [
    'files',
    `engine: { threads: 2 }\ncatalogue: c\nsource: { files: [f] }\n${SERVER}quotaUpdates: { file: q }`,
    'z.yaml:1: engine.threads: expected 1, got 2: threads share the partitions of a topic; name one in source.kafka',
  ],
  [
    'an embedded store',
    `${KAFKA}store: { dir: d }\nengine:\n  threads: 8\n`,
    'z.yaml:8: engine.threads: expected 1, got 8: an embedded store has one writer; name a ClickHouse server in store.url',
  ],
  [
    'one file of quota updates',
    `${KAFKA}${SERVER}quotaUpdates: { file: q }\nengine: { threads: 2 }\n`,
    'z.yaml:8: engine.threads: expected 1, got 2: one thread writes a file of quota updates; name quotaUpdates.topic',
  ],
  [
    'more than a process may have',
    `${KAFKA}${SERVER}engine: { threads: 65 }\n`,
    'z.yaml:7: engine.threads: expected at most 64, got 65',
  ],
])('threads for %s are refused, with file, line and what to do', (_, yaml, fault) => {
  expect(load(yaml).faults?.map(formatFault)).toEqual([fault]);
});

test('less memory for the open batches than 1 MiB for each thread is refused', () => {
  const yaml = (threads: number, maxTotalBytes: number) =>
    `${KAFKA}${SERVER}engine: { threads: ${threads} }\nbatch:\n  maxTotalBytes: ${maxTotalBytes}\n`;
  expect(load(yaml(64, 64 * 2 ** 20)).faults).toBeUndefined();
  expect(load(yaml(1, 2 ** 20)).faults).toBeUndefined();
  expect(load(yaml(3, 3 * 2 ** 20 - 1)).faults?.map(formatFault)).toEqual([
    'z.yaml:9: batch.maxTotalBytes: expected at least 3145728, 1 MiB for each of 3 threads, got 3145727; raise it, or lower engine.threads',
  ]);
});

test.each([
  ['two stores', 'store: { dir: d, url: "http://c:1" }', 'z.yaml:6: store: name either dir or url, not both'],
  [
    'a database in a directory',
    'store: { dir: d, database: x }',
    'z.yaml:6: store.database: has a meaning with url only',
  ],
])('%s: refused', (_, store, fault) => {
  expect(load(`${KAFKA}${store}\n`).faults?.map(formatFault)).toEqual([fault]);
});
