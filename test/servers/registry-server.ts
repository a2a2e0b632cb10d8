import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { freePort } from '../../src/development/servers/free-port.ts';
import { endProcess, spawnJava } from '../../src/development/servers/java-process.ts';
import { mavenArchive } from '../../src/development/servers/maven-artifacts.ts';
import { TestServerError } from '../../src/development/servers/test-server-error.ts';
import { dockerAnswers } from './docker.ts';

// The newest for Java 17: those of 3.x need 21.
const APICURIO_VERSION = '2.6.13.Final';
const APICURIO_IMAGE = `apicurio/apicurio-registry-mem:${APICURIO_VERSION}`;
/** Path of the interface compatible with Confluent's registry. */
const CONFLUENT_PATH = '/apis/ccompat/v7';
const JAVA_OPTIONS = ['-Xmx384m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'];
const READY_TIMEOUT_MS = 60_000;
const RETRY_AFTER_MS = 100;

/** A real schema registry for a test. */
export interface RegistryServer {
  /** Base URL of `/schemas/ids/{id}`. */
  url: string;
  origin: 'REGISTRY_URL' | 'testcontainers' | 'maven';
  /** Ends a registry that was started here; leaves a registry of `REGISTRY_URL` running. */
  stop(): Promise<void>;
}

/**
 * Returns the registry that the environment variable `REGISTRY_URL` names; otherwise starts Apicurio Registry in a container
 * where Docker answers, or from its archive through Maven and Java 17, with its schemas in memory. Rejects with a
 * `TestServerError` where none of them is available. `port`: of one that is started from the archive.
 */
export async function startRegistry(port?: number): Promise<RegistryServer> {
  if (process.env.REGISTRY_URL) {
    return { url: process.env.REGISTRY_URL, origin: 'REGISTRY_URL', stop: async () => {} };
  }
  if (await dockerAnswers()) return startFromContainer();
  return startFromMaven(port ?? (await freePort()));
}

async function startFromContainer(): Promise<RegistryServer> {
  const { GenericContainer, Wait } = await import('testcontainers');
  const container = await new GenericContainer(APICURIO_IMAGE)
    .withExposedPorts(8080)
    .withWaitStrategy(Wait.forHttp(`${CONFLUENT_PATH}/subjects`, 8080))
    .start();
  const stop = async () => {
    await container.stop();
  };
  const url = `http://${container.getHost()}:${container.getMappedPort(8080)}${CONFLUENT_PATH}`;
  return { url, origin: 'testcontainers', stop };
}

async function startFromMaven(port: number): Promise<RegistryServer> {
  const archive = `io.apicurio:apicurio-registry-app:${APICURIO_VERSION}:tar.gz:all`;
  const files = await mavenArchive(`apicurio-${APICURIO_VERSION}`, archive);
  const folder = await mkdtemp(join(tmpdir(), 'zerorate-registry-'));
  const log = join(folder, 'server.log');
  const address = ['-Dquarkus.http.host=127.0.0.1', `-Dquarkus.http.port=${port}`];
  const jar = join(files, `apicurio-registry-app-${APICURIO_VERSION}-runner.jar`);
  const child = spawnJava([...JAVA_OPTIONS, ...address, '-jar', jar], log);
  const stop = async () => {
    await endProcess(child, 'SIGKILL');
    await rm(folder, { recursive: true, force: true });
  };
  const url = `http://127.0.0.1:${port}${CONFLUENT_PATH}`;
  for (const giveUpAtMs = performance.now() + READY_TIMEOUT_MS; !(await answers(url)); ) {
    if (child.exitCode !== null || performance.now() > giveUpAtMs) {
      const said = await readFile(log, 'utf8').catch(() => '');
      await stop();
      const remedy = 'Apicurio Registry did not start; it needs Java 17 and Maven, or set REGISTRY_URL';
      throw new TestServerError('registry_unavailable', `${remedy}:\n${said.slice(-2000)}`);
    }
    await pause(RETRY_AFTER_MS);
  }
  return { url, origin: 'maven', stop };
}

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/subjects`)).ok;
  } catch {
    return false;
  }
}

/** Registers a schema under a subject, as a producer does; returns its id. */
export async function registerSchema(
  url: string,
  subject: string,
  schema: object,
  schemaType?: string,
): Promise<number> {
  const answer = await fetch(`${url}/subjects/${subject}/versions`, {
    method: 'POST',
    headers: { 'content-type': 'application/vnd.schemaregistry.v1+json' },
    body: JSON.stringify({ schema: JSON.stringify(schema), ...(schemaType && { schemaType }) }),
  });
  if (!answer.ok)
    throw new TestServerError('registry_unavailable', `the registry refuses a schema: ${await answer.text()}`);
  return ((await answer.json()) as { id: number }).id;
}
