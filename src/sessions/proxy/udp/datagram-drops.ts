/** Why a proxy drops a datagram of an association. SOCKS5 has no answer for it: the terminal sees that nothing comes. */
export const DATAGRAM_DROPS = {
  other_source: 'not of the terminal’s address, or of another port than the association’s first datagram',
  malformed: 'no SOCKS5 header (RFC 1928, 7)',
  fragmented: 'a fragment (FRAG other than 0)',
  too_large: 'larger than limits.udp.datagramBytes',
  tag_missing: 'the control connection has a session tag, and the flow of datagrams does not begin with it',
  refused: 'its host is refused, for a reason that tunnels are refused for too',
  other_content: 'its host carries another content type than the association',
  too_many_destinations: 'the association sends to limits.udp.destinations hosts already',
  not_asked: 'from a host that the terminal sent nothing to, or not within limits.udp.idleTimeoutMs',
  queue_full: 'limits.udp.queuedBytes wait already',
  session_over: 'the session or the association is over',
  send_failed: 'the operating system could not send it',
} as const;
export type DatagramDrop = keyof typeof DATAGRAM_DROPS;

/** Counts dropped datagrams by reason. */
export class DatagramDrops {
  readonly counts = Object.fromEntries(Object.keys(DATAGRAM_DROPS).map((reason) => [reason, 0])) as Record<
    DatagramDrop,
    number
  >;

  readonly drop = (reason: DatagramDrop): void => {
    this.counts[reason]++;
  };
}
