import { ConfigError } from '../config/config-error.ts';

const REMEDIES: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another process listens there; stop that one, or choose another port',
  EACCES: 'this user may not listen on that port; choose one above 1023',
  EADDRNOTAVAIL: 'this machine has no such address; name one that it has, or 0.0.0.0 for all',
  ENOTFOUND: 'the host name does not resolve; name an address of this machine',
  EAI_AGAIN: 'the host name does not resolve; name an address of this machine',
};

/** A configured address that cannot be listened on. */
export class ListenError extends ConfigError {
  constructor(field: string, { host, port }: { host: string; port: number }, cause: unknown) {
    const { code = '', message } = cause as NodeJS.ErrnoException;
    super(`${field}: cannot listen on ${host}:${port}: ${REMEDIES[code] ?? message}`);
    this.name = 'ListenError';
    this.cause = cause;
  }
}

/** Addresses to listen on that no other machine can connect to. */
const UNSPECIFIED = /^(0\.0\.0\.0|::|\[::\]|0|0x0|::ffff:0\.0\.0\.0|\[?(0{1,4}:){7}0{1,4}\]?|\[?::0{1,4}\]?)$/i;

/** Whether a host, as in a configuration or a URL, means every address of a machine, and so is none to connect to. */
export function isUnspecified(host: string): boolean {
  return UNSPECIFIED.test(host);
}
