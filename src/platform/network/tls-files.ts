import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { ConfigError } from '../config/config-error.ts';

/** Paths of PEM files. */
export interface TlsFiles {
  /** Certificates of the authorities that the server's may be signed by. Absent: those that Node.js trusts. */
  ca?: string | undefined;
  /** The client's own certificate and key. */
  cert?: string | undefined;
  key?: string | undefined;
}

/** What the files hold. */
export interface TlsCertificates {
  ca?: string;
  cert?: string;
  key?: string;
}

/**
 * Reads and checks certificates before anything is connected. `field` is the configuration's that names them. Throws a
 * ConfigError with file and remedy: not readable, no PEM, expired, a key of another certificate.
 */
export function readTlsFiles({ ca, cert, key }: TlsFiles, field: string): TlsCertificates {
  const found: TlsCertificates = {};
  if (ca !== undefined) found.ca = readCertificates(ca, `${field}.ca`).pem;
  if (cert === undefined || key === undefined) return found;
  return { ...found, ...readKeyPair({ cert, key }, { cert: `${field}.cert`, key: `${field}.key` }) };
}

/** The certificate and the key of a server or client, checked in the same way. `fields`: those that name the files. */
export function readKeyPair(
  { cert, key }: { cert: string; key: string },
  fields: { cert: string; key: string },
): { cert: string; key: string } {
  const own = readCertificates(cert, fields.cert);
  const pem = readPem(key, fields.key);
  const privateKey = parsed(key, fields.key, 'an unencrypted private key in PEM', () => createPrivateKey(pem));
  if (!own.first.checkPrivateKey(privateKey)) {
    throw new ConfigError(
      `${key}: ${fields.key}: is not the key of the certificate ${cert}; name the two that belong together`,
    );
  }
  return { cert: own.pem, key: pem };
}

function readCertificates(path: string, field: string): { pem: string; first: X509Certificate } {
  const pem = readPem(path, field);
  const first = parsed(path, field, 'certificates in PEM', () => new X509Certificate(pem));
  const endsAt = new Date(first.validTo);
  if (endsAt.getTime() < Date.now()) {
    throw new ConfigError(`${path}: ${field}: the certificate has expired on ${endsAt.toISOString()}; renew it`);
  }
  return { pem, first };
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
