import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { TestServerError } from './test-server-error.ts';

const PLUGIN = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1';
const DOWNLOAD_TIMEOUT_MS = 300_000;

/**
 * Returns the folder that holds the jars of `artifacts` (`group:artifact:version`) and of their dependencies, without
 * `excluded` (`group:artifact`). Downloaded through Maven once, then kept under the user's cache folder as
 * `zerorate/<name>`.
 */
export function mavenJars(
  name: string,
  artifacts: readonly string[],
  excluded: readonly string[] = [],
): Promise<string> {
  return cachedFolder(name, artifacts, 'copy-dependencies', excluded);
}

/** Returns the folder of an unpacked archive: `group:artifact:version:type:classifier`. Kept like the jars. */
export function mavenArchive(name: string, artifact: string): Promise<string> {
  return cachedFolder(name, [artifact], 'unpack-dependencies');
}

type Goal = 'copy-dependencies' | 'unpack-dependencies';

async function cachedFolder(
  name: string,
  artifacts: readonly string[],
  goal: Goal,
  excluded: readonly string[] = [],
): Promise<string> {
  const folder = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'zerorate', name);
  if (existsSync(folder)) return folder;

  await mkdir(dirname(folder), { recursive: true });
  const staging = await mkdtemp(`${folder}.`);
  try {
    await writeFile(join(staging, 'pom.xml'), pomOf(artifacts, excluded));
    await download(staging, artifacts, goal);
    // The rename makes a download complete: a visible folder is complete.
    await rename(join(staging, 'files'), folder).catch((error: NodeJS.ErrnoException) => {
      // Another process came first with the same files.
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
    });
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
  return folder;
}

async function download(folder: string, artifacts: readonly string[], goal: Goal): Promise<void> {
  const args = ['-B', '-q', '-f', join(folder, 'pom.xml'), `${PLUGIN}:${goal}`, `-DoutputDirectory=${folder}/files`];
  try {
    await promisify(execFile)('mvn', args, { timeout: DOWNLOAD_TIMEOUT_MS });
  } catch (cause) {
    const { code, stdout, message } = cause as { code?: string | number; stdout?: string; message: string };
    const why = code === 'ENOENT' ? 'there is no mvn on the PATH' : (stdout || message).trim().split('\n')[0];
    throw new TestServerError('jars_unavailable', `Maven could not get ${artifacts.join(', ')}: ${why}`, cause);
  }
}

function pomOf(artifacts: readonly string[], excluded: readonly string[]): string {
  const dependencies = artifacts.map((artifact) => {
    const [groupId, artifactId, version, type, classifier] = artifact.split(':');
    const name = `<groupId>${groupId}</groupId><artifactId>${artifactId}</artifactId><version>${version}</version>`;
    if (type === undefined) return `<dependency>${name}${exclusions(excluded)}</dependency>`;
    // An archive contains its dependencies.
    const kind = `<type>${type}</type><classifier>${classifier}</classifier>`;
    return `<dependency>${name}${kind}${exclusions(['*:*'])}</dependency>`;
  });
  return `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>zerorate</groupId><artifactId>test-server</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>${dependencies.join('')}</dependencies>
</project>
`;
}

function exclusions(artifacts: readonly string[]): string {
  const each = artifacts.map((artifact) => {
    const [groupId, artifactId] = artifact.split(':');
    return `<exclusion><groupId>${groupId}</groupId><artifactId>${artifactId}</artifactId></exclusion>`;
  });
  return each.length === 0 ? '' : `<exclusions>${each.join('')}</exclusions>`;
}
