import { execFile } from 'node:child_process';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { mavenJars } from '../../src/development/servers/maven-artifacts.ts';

const ARTIFACTS = [
  'org.apache.kafka:kafka-streams:4.3.1',
  'org.apache.avro:avro:1.12.0',
  'org.slf4j:slf4j-simple:2.0.17',
];

/** Compiles the Streams side; resolves with its class path. Needs a JDK and Maven. */
export async function compileStreams(): Promise<string> {
  const jars = await mavenJars('kafka-streams-4.3.1', ARTIFACTS);
  const classes = await mkdtemp(join(tmpdir(), 'zerorate-bench-classes-'));
  const source = fileURLToPath(new URL('streams/Rate.java', import.meta.url));
  await promisify(execFile)('javac', ['-cp', `${jars}/*`, '-d', classes, source]);
  return `${classes}:${jars}/*`;
}
