import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { appendFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { TestServerError } from '../../src/development/servers/test-server-error.ts';

/** Paths of PEM files. */
export interface CertificateFiles {
  cert: string;
  key: string;
  /** Key and certificate in one file, as Kafka wants them. */
  both: string;
}

/** A certificate authority for a test, made by the openssl on the PATH. */
export interface Authority {
  ca: string;
  /** Issues a certificate for 127.0.0.1 and localhost, for server and client. `isExpired`: it expired yesterday. */
  issue(name: string, options?: { isExpired?: boolean }): Promise<CertificateFiles>;
}

const SUBJECT_NAMES = 'subjectAltName=IP:127.0.0.1,DNS:localhost';
const KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

export async function makeAuthority(directory: string, name: string): Promise<Authority> {
  await mkdir(directory, { recursive: true });
  const path = (file: string) => join(directory, `${name}-${file}`);
  const [ca, caKey] = [path('ca.pem'), path('ca.key')];
  await openssl(['req', '-x509', ...KEY, '-keyout', caKey, '-out', ca, '-subj', `/CN=${name}`, '-days', '30']);
  return {
    ca,
    async issue(of, { isExpired = false } = {}) {
      const [cert, key, both, request] = ['pem', 'key', 'both.pem', 'csr'].map((ending) => path(`${of}.${ending}`));
      const extensions = path(`${of}.ext`);
      await writeFile(extensions, SUBJECT_NAMES);
      await openssl(['req', '-new', ...KEY, '-keyout', key, '-out', request, '-subj', `/CN=${of}`]);
      // A file with the next number would be written by several at once.
      const serial = `0x01${randomBytes(8).toString('hex')}`;
      const signing = ['-CA', ca, '-CAkey', caKey, '-set_serial', serial, '-extfile', extensions];
      await openssl(['x509', '-req', '-in', request, '-out', cert, ...signing, '-days', isExpired ? '-1' : '30']);
      await writeFile(both, await readFile(key));
      await appendFile(both, await readFile(cert));
      return { cert, key, both };
    },
  };
}

async function openssl(args: readonly string[]): Promise<void> {
  try {
    await promisify(execFile)('openssl', args);
  } catch (cause) {
    throw new TestServerError('no_certificates', `a test needs openssl 3: ${(cause as Error).message}`, cause);
  }
}
