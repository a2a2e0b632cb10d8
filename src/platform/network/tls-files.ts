import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { ConfigError } from '../config/config-error.ts';
import type { ServerTlsFiles, TlsFiles } from '../config/tls-schema.ts';

/** What the files hold. */
export interface TlsCertificates {
  ca?: string;
  cert?: string;
  key?: string;
}

const CERTIFICATE = /-----BEGIN (TRUSTED |X509 )?CERTIFICATE-----[^-]*-----END (TRUSTED |X509 )?CERTIFICATE-----/g;

/**
 * Reads and checks certificates before anything is connected. `field` is the configuration's that names them. Throws a
 * ConfigError with file and remedy: not readable, no PEM, expired, a key of another certificate. Of several authorities one must not
 * be expired: while an authority is replaced, its file has the former one and the next.
 */
export function readTlsFiles(files: ServerTlsFiles, field: string): TlsCertificates & { cert: string; key: string };
export function readTlsFiles(files: TlsFiles, field: string): TlsCertificates;
export function readTlsFiles({ caFile, certFile, keyFile }: TlsFiles, field: string): TlsCertificates {
  const found: TlsCertificates = {};
  if (caFile !== undefined) found.ca = readAuthorities(caFile, `${field}.caFile`);
  if (certFile === undefined || keyFile === undefined) return found;
  const own = readCertificates(certFile, `${field}.certFile`);
  const pem = readPem(keyFile, `${field}.keyFile`);
  const privateKey = parsed(keyFile, `${field}.keyFile`, 'an unencrypted private key in PEM', () =>
    createPrivateKey(pem),
  );
  if (!own.first.checkPrivateKey(privateKey)) {
    throw new ConfigError(
      `${keyFile}: ${field}.keyFile: is not the key of the certificate ${certFile}; name the two that belong together`,
    );
  }
  return { ...found, cert: own.pem, key: pem };
}

function readAuthorities(path: string, field: string): string {
  const pem = readPem(path, field);
  const blocks = pem.match(CERTIFICATE) ?? [pem];
  const authorities = parsed(path, field, 'certificates in PEM', () =>
    blocks.map((block) => new X509Certificate(block)),
  );
  refuseExpired(path, field, authorities);
  return pem;
}

function readCertificates(path: string, field: string): { pem: string; first: X509Certificate } {
  const pem = readPem(path, field);
  const first = parsed(path, field, 'certificates in PEM', () => new X509Certificate(pem));
  refuseExpired(path, field, [first]);
  return { pem, first };
}

/** Throws where all of them have expired. */
function refuseExpired(path: string, field: string, certificates: readonly X509Certificate[]): void {
  const endsAtMs = Math.max(...certificates.map(({ validTo }) => Date.parse(validTo)));
  if (endsAtMs >= Date.now()) return;
  const endedAt = new Date(endsAtMs).toISOString();
  throw new ConfigError(`${path}: ${field}: the certificate has expired on ${endedAt}; renew it`);
}

function readPem(path: string, field: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new ConfigError(`${path}: ${field}: cannot be read: ${(error as Error).message}`);
  }
}

function parsed<T>(path: string, field: string, what: string, parse: () => T): T {
  try {
    return parse();
  } catch {
    // What is wrong inside of a key is never printed.
    throw new ConfigError(`${path}: ${field}: expected ${what}`);
  }
}
