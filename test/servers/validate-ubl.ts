import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { JAVA } from '../../src/development/servers/java-process.ts';
import { mavenJars } from '../../src/development/servers/maven-artifacts.ts';
import { TestServerError } from '../../src/development/servers/test-server-error.ts';
import { packagePath } from '../../src/platform/package-paths.ts';

const ARTIFACTS = [
  'com.helger.phive.rules:phive-rules-en16931:4.2.0',
  'org.glassfish.jaxb:jaxb-runtime:4.0.5',
  'org.apache.groovy:groovy:4.0.28',
  'org.slf4j:slf4j-nop:2.0.17',
];
const VALIDATION_TIMEOUT_MS = 300_000;

/**
 * Returns the errors and warnings of invoices by file, from the published XSD of UBL 2.1 and the rules of EN 16931 (phive,
 * through Maven and Java 17). Rejects with a `TestServerError` where they cannot be run, or take more than five minutes.
 */
export async function validateUbl(files: readonly string[]): Promise<Map<string, string[]>> {
  const jars = await mavenJars('phive-en16931-4.2.0', ARTIFACTS);
  const args = ['-Xmx512m', '-XX:+UseSerialGC', '-cp', `${jars}/*`, 'groovy.ui.GroovyMain'];
  const script = packagePath('test/servers/validate-ubl.groovy');
  const { stdout } = await promisify(execFile)(JAVA, [...args, script, ...files], {
    timeout: VALIDATION_TIMEOUT_MS,
    maxBuffer: 1 << 26,
  }).catch((cause: unknown) => {
    throw new TestServerError('jars_unavailable', 'phive does not run; it needs Java 17 and Maven', cause);
  });
  const found = new Map<string, string[]>();
  for (const line of stdout.trim().split('\n')) {
    const [file, level, text] = line.split('\t');
    if (level === 'CHECKED') found.set(file, []);
    else if (level !== undefined) found.get(file)?.push(`${level}: ${text}`);
  }
  if (!stdout.endsWith('DONE\n') || found.size !== files.length) {
    throw new TestServerError('jars_unavailable', `phive checked ${found.size} of ${files.length} files:\n${stdout}`);
  }
  return found;
}
