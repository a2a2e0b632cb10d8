import { formatIp, parseIp } from '../../rating/ip-address.ts';

/** An address in its one form: IPv4 also where it came as ::ffff:a.b.c.d. What is no address stays as it is. */
export function oneForm(address: string): string {
  const words = new Uint32Array(4);
  return parseIp(address, words, 0) ? formatIp(words) : address;
}
