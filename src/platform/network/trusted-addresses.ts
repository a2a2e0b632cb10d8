import { compile } from '@fastify/proxy-addr';

/** Returns whether an address is one of these addresses, networks or names (`loopback`), as fastify's `trustProxy` reads them. */
export function trustedAddresses(trustedProxies: readonly string[]): (address: string) => boolean {
  if (trustedProxies.length === 0) return () => false;
  const isTrusted = compile([...trustedProxies]);
  return (address) => address !== '' && isTrusted(address, 0);
}
