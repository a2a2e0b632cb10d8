import { decodeJson } from '../../rating/decode/decode-json.ts';
import { hasPorts } from '../../rating/flow-condition.ts';
import type { Candidate } from '../../rating/flow-record.ts';
import type { Fault } from '../../rating/outcome.ts';
import { CONTENT_NODE_SUFFIX } from '../../rating/record/content-numbering.ts';
import type { TerminalEndpoint, Terminals } from '../addresses/terminals.ts';
import type { FileEnding } from '../files/file-ending.ts';
import { type FramedRecord, framedRecord } from '../files/framed-record.ts';
import { readLines } from '../files/line-reader.ts';
import { faultValue, recordValue } from '../files/made-value.ts';
import { contentNumber, exporterOf, isFlowType, isUnsigned, unsigned } from './goflow2-flow.ts';
import type { SampledExporters } from './sampled-exporters.ts';

export interface Goflow2Mapping {
  /** Whose an address was: a flow does not say. */
  terminals: Terminals;
  /** Exporters that sample. */
  sampled: SampledExporters;
  /** Exporters that are known not to sample; absent: a rate of 0, which means unknown, is taken for none. */
  unsampled?: readonly string[] | undefined;
  /** A flow without times of its own took place within this long before its export. */
  activeTimeoutMs: number;
}

/** `Goflow2Mapping`, its files read. */
interface Mapping extends Omit<Goflow2Mapping, 'sampled' | 'unsampled'> {
  sampled: ReadonlySet<string>;
  unsampled: ReadonlySet<string> | null;
}

const TIMES = {
  time_flow_start_ns: /"time_flow_start_ns"\s*:\s*"?(\d+)/,
  time_flow_end_ns: /"time_flow_end_ns"\s*:\s*"?(\d+)/,
};
const NS_DIGITS_OF_MS = 6;
const WHOLE_SECOND = /0{9}$/;
/** The names that goflow2 gives protocols; it has none for others. */
const PROTOCOLS: Readonly<Record<string, number>> = { ICMP: 1, TCP: 6, UDP: 17, ICMPv6: 58, SCTP: 132 };

/**
 * Reads the lines of goflow2 (JSON, its names in snake case), one flow record for each. A flow goes one way: that of its
 * addresses which is a terminal says whether its octets are uplink or downlink, and whose they are. Every record depends on
 * its own line alone, so that a file which is read again, has grown or was cut elsewhere gives the same records.
 */
export async function* readGoflow2(
  input: AsyncIterable<Buffer>,
  limitOctets: number,
  goflow2: Goflow2Mapping,
  ending?: FileEnding,
): AsyncGenerator<FramedRecord[], void, undefined> {
  const { unsampled } = goflow2;
  const mapping: Mapping = {
    ...goflow2,
    sampled: await goflow2.sampled(),
    unsampled: unsampled === undefined ? null : new Set(unsampled),
  };
  for await (const lines of readLines(input, limitOctets, ending)) {
    yield lines.map((line) => {
      // What was cut is too large a record, and what is no JSON is decoded to a fault: both are passed on unchanged.
      const flow = line.oversizedOctets === 0 ? decodeJson(line.value).candidate : undefined;
      if (flow === undefined) return line;
      const value = flowValue(flow, line.value.toString(), mapping);
      return framedRecord(value, 0, value.length, limitOctets, line.contentEnd);
    });
  }
}

function flowValue(flow: Candidate, line: string, mapping: Mapping): Buffer {
  const refused = typeFault(flow) ?? samplingFault(flow, mapping);
  if (refused !== null) return faultValue(refused, flow);
  const { record, fault } = flowRecord(flow, line, mapping);
  return fault === null ? recordValue(record) : faultValue(fault, record);
}

function typeFault({ type }: Candidate): Fault | null {
  if (isFlowType(type)) return null;
  return type === undefined
    ? { reason: 'missing_field', detail: 'type is missing' }
    : { reason: 'invalid_field', detail: 'type is neither IPFIX nor NETFLOW_V5' };
}

/** A sample is not a measure of use: the flow of an exporter that samples, or may, is never charged as exact. */
function samplingFault(flow: Candidate, { sampled, unsampled }: Mapping): Fault | null {
  const rate = unsigned(flow.sampling_rate);
  const exporter = exporterOf(flow) ?? '';
  const invalid = (detail: string): Fault => ({ reason: 'invalid_field', detail });
  if (rate === undefined || rate === null) {
    return { reason: 'missing_field', detail: 'sampling_rate is missing: the flow may be a sample' };
  }
  if (!isUnsigned(rate)) return invalid('sampling_rate is not a whole number: the flow may be a sample');
  if (rate > 1) return invalid(`sampling_rate is ${rate}: a sample is no measure of use`);
  if (sampled.has(exporter)) {
    return invalid(`sampling_rate is ${rate}, but exporter ${exporter} samples: other flows give its rate`);
  }
  if (rate === 0 && unsampled !== null && !unsampled.has(exporter)) {
    return invalid(`sampling_rate is 0, unknown, and exporter ${exporter} is not in source.goflow2.unsampled`);
  }
  return null;
}

/** What is absent, or of another type, is left to the validation of flow records. */
function flowRecord(flow: Candidate, line: string, mapping: Mapping): { record: Candidate; fault: Fault | null } {
  const { src_addr: source, dst_addr: destination } = flow;
  const exporter = exporterOf(flow);
  const start = nanoseconds(flow, 'time_flow_start_ns', line);
  const end = nanoseconds(flow, 'time_flow_end_ns', line);
  const protocol = protocolOf(flow.proto);
  const owner = (endpoint: TerminalEndpoint) =>
    start === null ? null : mapping.terminals.msisdnOf(endpoint, milliseconds(start));
  const [from, to] = [endpointOf(source, flow.src_port, protocol), endpointOf(destination, flow.dst_port, protocol)];
  const sender = owner(from);
  const receiver = sender === null ? owner(to) : null;
  const isDownlink = receiver !== null;
  const octets = unsigned(flow.bytes);
  const sequence = unsigned(flow.sequence_num);
  const record = {
    nodeId: exporter === undefined ? flow.sampler_address : `${exporter}${CONTENT_NODE_SUFFIX}`,
    localSequenceNumber:
      isUnsigned(sequence) && start !== null && end !== null ? contentNumber(flow, start, end) : sequence,
    chargingId: 0,
    recordSequenceNumber: 0,
    servedMsisdn: sender ?? receiver,
    startTime: start === null ? flow.time_flow_start_ns : milliseconds(start),
    endTime: end === null ? flow.time_flow_end_ns : milliseconds(end),
    terminalIp: isDownlink ? destination : source,
    terminalPort: unsigned(isDownlink ? flow.dst_port : flow.src_port),
    remoteIp: isDownlink ? source : destination,
    remotePort: unsigned(isDownlink ? flow.src_port : flow.dst_port),
    protocol,
    uplinkOctets: isDownlink ? 0 : octets,
    downlinkOctets: isDownlink ? octets : 0,
  };
  if (octets === 0) return { record, fault: zeroOctets(flow) };
  if (start === null || end === null) return { record, fault: null };
  if (record.servedMsisdn === null) return { record, fault: sharedAddressFault([from, to], start, mapping) };
  const fault = handOverFault(flow, isDownlink ? to : from, start, end, mapping);
  return fault === null ? { record, fault } : { record: { ...record, servedMsisdn: null }, fault };
}

/** An address with the port of it; the ports of a protocol without them, and of fragments (0), are none. */
function endpointOf(address: unknown, portField: unknown, protocol: unknown): TerminalEndpoint {
  const port = unsigned(portField);
  const isPort = isUnsigned(port) && port > 0 && isUnsigned(protocol) && hasPorts(protocol);
  return { address: String(address), port: isPort ? port : null };
}

/** What is in no block of a shared address is as unknown as an address that no subscriber had; the fault says why. */
function sharedAddressFault(
  endpoints: readonly TerminalEndpoint[],
  start: string,
  { terminals }: Mapping,
): Fault | null {
  const shared = endpoints.find(({ address }) => terminals.isShared(address, milliseconds(start)));
  if (shared === undefined) return null;
  const why = shared.port === null ? 'the flow has no port' : `no block has port ${shared.port}`;
  return {
    reason: 'missing_field',
    detail: `servedMsisdn is missing: the address is shared by blocks of ports, and ${why}`,
  };
}

function protocolOf(proto: unknown): unknown {
  const number = unsigned(proto);
  return typeof number === 'string' ? (PROTOCOLS[number] ?? 0) : number;
}

/** Every packet has octets: an exporter that gives none counts them in fields which goflow2 does not read. */
function zeroOctets({ packets }: Candidate): Fault {
  const count = unsigned(packets);
  const held = isUnsigned(count) ? `bytes is 0 with ${count} packets` : 'bytes is 0';
  return { reason: 'invalid_field', detail: `${held}: the exporter's template has no octetDeltaCount` };
}

/**
 * Whose a flow was is not known if the address changed hands while the flow lasted. goflow2 gives a flow whose template has
 * no times the second of its export as both: it may have lasted since the active timeout before. So may a flow of several
 * packets at one instant.
 */
function handOverFault(
  flow: Candidate,
  endpoint: TerminalEndpoint,
  start: string,
  end: string,
  mapping: Mapping,
): Fault | null {
  const isExportTime = start === end && (WHOLE_SECOND.test(start) || Number(unsigned(flow.packets)) > 1);
  const { terminals, activeTimeoutMs } = mapping;
  const fromMs = milliseconds(start) - (isExportTime ? activeTimeoutMs : 0);
  if (!terminals.changedHands(endpoint, fromMs, milliseconds(end))) return null;
  const when = isExportTime
    ? `within ${activeTimeoutMs} ms before the export, and the flow has no other time`
    : 'while the flow lasted';
  return { reason: 'missing_field', detail: `servedMsisdn is missing: the address changed hands ${when}` };
}

/** The digits of a time; null where it is none. They are taken from the line: nanoseconds since 1970 are above the exact integers. */
function nanoseconds(flow: Candidate, name: keyof typeof TIMES, line: string): string | null {
  const digits = TIMES[name].exec(line)?.[1];
  return digits !== undefined && Number(digits) === unsigned(flow[name]) ? digits : null;
}

function milliseconds(ns: string): number {
  return Number(ns.slice(0, -NS_DIGITS_OF_MS));
}
