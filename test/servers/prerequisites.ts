import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { JAVA } from '../../src/development/servers/java-process.ts';

/** Chromium: CHROMIUM, or where Debian installs it; undefined when there is none. */
export const CHROMIUM = [process.env.CHROMIUM ?? '', '/usr/bin/chromium', '/usr/bin/chromium-browser'].find((path) =>
  existsSync(path),
);

interface Prerequisite {
  name: string;
  /** Debian packages that contain it, and the variable that names another one. */
  packages: string;
  variable?: string;
  isThere: () => boolean;
}

const PREREQUISITES: readonly Prerequisite[] = [
  {
    name: 'Chromium',
    packages: 'chromium',
    variable: 'CHROMIUM',
    isThere: () => CHROMIUM !== undefined,
  },
  {
    name: 'promtool',
    packages: 'prometheus',
    variable: 'PROMTOOL',
    isThere: () => runs(process.env.PROMTOOL ?? 'promtool', '--version'),
  },
  { name: 'Python with pip', packages: 'python3-pip', isThere: () => runs('python3', '-m', 'pip', '--version') },
  { name: 'curl', packages: 'curl', isThere: () => runs('curl', '--version') },
  { name: 'openssl', packages: 'openssl', isThere: () => runs('openssl', 'version') },
  { name: 'Java', packages: 'openjdk-17-jre-headless', variable: 'JAVA_HOME', isThere: () => runs(JAVA, '-version') },
  { name: 'Maven', packages: 'maven', isThere: () => runs('mvn', '--version') },
];

/**
 * Returns one line that names the programs that `npm test` needs and this machine does not have, with the command that
 * installs them; null when none is missing. Node's, Python's and Java's own packages are installed by the tests.
 */
export function missingPrerequisites(): string | null {
  const missing = PREREQUISITES.filter(({ isThere }) => !isThere());
  if (missing.length === 0) return null;
  const names = missing.map(({ name, variable }) =>
    variable === undefined ? name : `${name} (or ${variable}=<path>)`,
  );
  const packages = missing.map((one) => one.packages).join(' ');
  return (
    `npm test needs ${names.join(', ')}: apt-get install -y --no-install-recommends ${packages}; ` +
    'npm run test:unit needs none of them'
  );
}

function runs(command: string, ...args: string[]): boolean {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0;
}
