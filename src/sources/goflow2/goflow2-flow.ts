import { createHash } from 'node:crypto';
import type { Candidate } from '../../rating/flow-record.ts';

/** The exports that are read: each of their records is all of a flow's octets, not a packet of it. */
const FLOW_TYPES: readonly unknown[] = ['IPFIX', 'NETFLOW_V5'];

/**
 * What the exporter says of a flow, as goflow2 names it. Left out is what the collector adds, such as the time of receipt,
 * because it differs between two copies of one datagram.
 */
const CONTENT = [
  'type sequence_num sampler_address observation_domain_id observation_point_id',
  'bytes packets src_addr dst_addr etype proto src_port dst_port in_if out_if',
  'src_mac dst_mac src_vlan dst_vlan vlan_id mpls_label mpls_ttl mpls_ip',
  'ip_tos ip_ttl ip_flags tcp_flags icmp_type icmp_code ipv6_flow_label fragment_id fragment_offset',
  'forwarding_status next_hop next_hop_as src_as dst_as src_net dst_net bgp_next_hop bgp_communities as_path',
].flatMap((names) => names.split(' '));

export function isFlowType(type: unknown): boolean {
  return FLOW_TYPES.includes(type);
}

/** An unsigned integer that is written as a number, or as text as Protobuf's JSON does; what is neither is given back. */
export function unsigned(value: unknown): unknown {
  return typeof value === 'string' && /^\d{1,20}$/.test(value) ? Number(value) : value;
}

export function isUnsigned(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0;
}

/** Address and observation domain of the exporter, such as `192.0.2.1/5`; without the domain where it is 0. */
export function exporterOf({ sampler_address: sampler, observation_domain_id }: Candidate): string | undefined {
  if (typeof sampler !== 'string' || sampler === '') return undefined;
  const domain = unsigned(observation_domain_id);
  return isUnsigned(domain) && domain > 0 ? `${sampler}/${domain}` : sampler;
}

/**
 * Hashes what the exporter says of a flow to 53 bits, the exact integers: the flow's number among those of its exporter.
 * The two times are digits, for nanoseconds since 1970 are not exact as numbers.
 */
export function contentNumber(flow: Candidate, startNs: string, endNs: string): number {
  const content = [startNs, endNs, ...CONTENT.map((name) => flow[name] ?? '')].join('\n');
  const digest = createHash('sha256').update(content).digest();
  return digest.readUIntBE(0, 6) * 32 + (digest[6] >> 3);
}
