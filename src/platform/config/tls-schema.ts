import * as z from 'zod';
import { path } from './config-fields.ts';
import type { KeyRename } from './renamed-keys.ts';

const files = z.strictObject({
  caFile: path(
    "Certificates of the authorities that may have signed the other side's, PEM; absent: those that Node.js trusts.",
  ).optional(),
  certFile: path('Own certificate and those between it and its authority, PEM.').optional(),
  keyFile: path('Its private key, PEM.').optional(),
});

/** TLS of a client, in every configuration. */
export const tlsSchema = files
  .refine(({ certFile, keyFile }) => (certFile === undefined) === (keyFile === undefined), {
    error: 'certFile and keyFile go together',
  })
  .describe('TLS: the files of certificates and key.');

/** TLS of a client that has a switch of its own: a URL says https, a list of brokers says nothing. */
export const tlsSwitchSchema = z
  .union([z.boolean(), tlsSchema])
  .default(false)
  .describe('TLS: true, or the files to use.');

/** TLS of a server: the same files, of which it needs its own two. */
export const serverTlsSchema = files
  .required({ certFile: true, keyFile: true })
  .extend({ caFile: path("Authorities that may have signed clients' certificates, PEM.").optional() })
  .describe('TLS; absent: none.');

/** Files that TLS is set up with; their paths are absolute. */
export type TlsFiles = z.output<typeof tlsSchema>;
export type ServerTlsFiles = z.output<typeof serverTlsSchema>;

/** Of a map that has `tls`: what its own certificate and key were called in the version before. */
export const OWN_CERTIFICATE_RENAMES: readonly KeyRename[] = [
  { from: ['tls', 'cert'], to: ['tls', 'certFile'] },
  { from: ['tls', 'key'], to: ['tls', 'keyFile'] },
];

/** Of a map that has `tls` of a client: what it was called in the version before. */
export const TLS_RENAMES: readonly KeyRename[] = [
  { from: ['ssl'], to: ['tls'] },
  { from: ['tls', 'ca'], to: ['tls', 'caFile'] },
  ...OWN_CERTIFICATE_RENAMES,
];

/** The files under absolute paths. */
export function resolveTls<T extends TlsFiles>(tls: T, resolve: (path: string) => string): T {
  const named = Object.entries(tls).filter(([, file]) => file !== undefined);
  return Object.fromEntries(named.map(([name, file]) => [name, resolve(String(file))])) as T;
}
