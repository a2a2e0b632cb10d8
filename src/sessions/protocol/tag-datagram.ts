import { SESSION_TAG_OCTETS } from './session-tag.ts';

/** The first octet of a tag (its version). A datagram of SOCKS5 begins with 0. */
const TAG_VERSION = 1;

/** What a proxy answers on a flow of datagrams that begins with a session tag: one octet, which is no SOCKS5 header either. */
export const TAG_ACCEPTED = Buffer.of(1);
/** The proxy's last datagram on such a flow: it and what the terminal still sends are not the sponsor's, and in no report. */
export const TAG_OVER = Buffer.of(2);
/** A proxy repeats TAG_ACCEPTED when it has sent nothing else for so long: a gateway takes a proxy that is silent for longer for gone. */
export const TAG_REPEATED_AFTER_MS = 10_000;
export const TAG_LAPSES_AFTER_MS = 45_000;

/** Whether a datagram is a session tag, whatever is in it: the first one of a flow, and again until the proxy answers. */
export function isTagDatagram(octets: Buffer): boolean {
  return octets.length === SESSION_TAG_OCTETS && octets[0] === TAG_VERSION;
}
