import type { Readable } from 'node:stream';
import { decodeJson } from '../billing/decode-json.ts';
import type { Candidate } from '../billing/decoder.ts';
import { type FramedRecord, framedRecord } from './framed-record.ts';
import { readLines } from './line-reader.ts';
import { faultValue, recordValue } from './made-value.ts';
import type { Terminals } from './terminals.ts';

/** Their sequence numbers count records (RFC 7011, 3.1), so that each record has one. */
const NUMBERED_TYPES: readonly unknown[] = ['IPFIX', 'NETFLOW_V5'];
const NUMBERS = 2 ** 32;
const NANOSECONDS = {
  time_flow_start_ns: /"time_flow_start_ns":\s*(\d+)/,
  time_flow_end_ns: /"time_flow_end_ns":\s*(\d+)/,
};
/** Messages whose records are still counted; goflow2's workers may mix the lines of a few. */
const OPEN_MESSAGES = 10_000;
/** The names that goflow2 gives protocols; it has none for others. */
const PROTOCOLS: Readonly<Record<string, number>> = { ICMP: 1, TCP: 6, UDP: 17, ICMPv6: 58, SCTP: 132 };

/**
 * Reads the lines of goflow2 (JSON, its names in snake case), one flow record for each. A flow goes one way: that of its
 * addresses which is a terminal says whether its octets are uplink or downlink, and whose they are.
 */
export async function* readGoflow2(
  input: Readable,
  limitOctets: number,
  terminals: Terminals,
): AsyncGenerator<FramedRecord[], void, undefined> {
  const places = new Places();
  for await (const lines of readLines(input, limitOctets)) {
    yield lines.map((line) => {
      // What was cut is too large a record, and what is no JSON is decoded to a fault: both go on as they stand.
      const flow = line.oversizedOctets === undefined ? decodeJson(line.value).candidate : undefined;
      if (flow === undefined) return line;
      const value = flowValue(flow, line.value.toString(), places, terminals);
      return framedRecord(value, value.length, limitOctets);
    });
  }
}

function flowValue(flow: Candidate, line: string, places: Places, terminals: Terminals): Buffer {
  const { type, sampling_rate: rate } = flow;
  if (!NUMBERED_TYPES.includes(type)) {
    return faultValue(
      { reason: 'invalid_field', detail: 'type is not IPFIX or NETFLOW_V5: its records have no numbers' },
      flow,
    );
  }
  if (typeof rate === 'number' && rate > 1) {
    return faultValue(
      { reason: 'invalid_field', detail: `sampling_rate is ${rate}: a sample is no measure of use` },
      flow,
    );
  }
  return recordValue(flowRecord(flow, line, places, terminals));
}

/** What is absent, or of another type, is for the validation to name. */
function flowRecord(flow: Candidate, line: string, places: Places, terminals: Terminals): Candidate {
  const { src_addr: source, dst_addr: destination, sampler_address: sampler, observation_domain_id: domain } = flow;
  const nodeId = typeof domain === 'number' && domain > 0 ? `${sampler}/${domain}` : sampler;
  const startTime = milliseconds(flow, 'time_flow_start_ns', line);
  const owner = (address: unknown) =>
    typeof startTime === 'number' ? terminals.msisdnOf(String(address), startTime) : null;
  const sender = owner(source);
  const receiver = sender === null ? owner(destination) : null;
  const isDownlink = receiver !== null;
  return {
    nodeId,
    localSequenceNumber: places.numberOf(`${nodeId}`, flow.sequence_num),
    chargingId: 0,
    recordSequenceNumber: 0,
    servedMsisdn: sender ?? receiver,
    startTime,
    endTime: milliseconds(flow, 'time_flow_end_ns', line),
    terminalIp: isDownlink ? destination : source,
    terminalPort: isDownlink ? flow.dst_port : flow.src_port,
    remoteIp: isDownlink ? source : destination,
    remotePort: isDownlink ? flow.src_port : flow.dst_port,
    protocol: typeof flow.proto === 'string' ? (PROTOCOLS[flow.proto] ?? 0) : flow.proto,
    uplinkOctets: isDownlink ? 0 : flow.bytes,
    downlinkOctets: isDownlink ? flow.bytes : 0,
  };
}

/** Nanoseconds since 1970 are above the exact integers, so their digits are taken from the line; the last six are cut off. */
function milliseconds(flow: Candidate, name: keyof typeof NANOSECONDS, line: string): unknown {
  const digits = NANOSECONDS[name].exec(line)?.[1] ?? '';
  return Number(digits) === flow[name] ? Number(digits.slice(0, -6)) : flow[name];
}

/** A message has one sequence number, that of its first record: the others follow it. */
class Places {
  readonly #counts = new Map<string, number>();

  numberOf(nodeId: string, sequence: unknown): unknown {
    if (typeof sequence !== 'number') return sequence;
    const message = `${sequence} ${nodeId}`;
    const place = this.#counts.get(message) ?? 0;
    this.#counts.set(message, place + 1);
    const [oldest] = this.#counts.keys();
    if (this.#counts.size > OPEN_MESSAGES) this.#counts.delete(oldest);
    return (sequence + place) % NUMBERS;
  }
}
