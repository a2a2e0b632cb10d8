import { afterEach, expect, test, vi } from 'vitest';
import { type FlowEnds, FlowTable } from './flow-table.ts';
import type { RecordDraft } from './record-spool.ts';

const ENDS: FlowEnds = {
  protocol: 6,
  terminalIp: '127.64.0.1',
  terminalPort: 40_000,
  remoteIp: '127.0.0.1',
  remotePort: 8081,
};
const BEARER = {
  bearerId: 'bearer-1',
  terminalIp: ENDS.terminalIp,
  chargingId: 1,
  msisdn: '15550100001',
  imsi: null,
  nextRecordSequenceNumber: 1,
};
const CHAT = { zeroRatingTag: 'CHAT', contentType: 'image' } as const;

afterEach(() => {
  vi.useRealTimers();
});

function opened(remoteIp = ENDS.remoteIp) {
  vi.useFakeTimers({ now: 1_790_000_000_000 });
  const records: RecordDraft[] = [];
  const table = new FlowTable({
    partialRecords: { intervalMs: 5000, afterOctets: 10_000 },
    nowMs: Date.now,
    isProxy: (remoteIp) => remoteIp === ENDS.remoteIp,
    onRecord: (draft) => records.push(draft),
  });
  table.start();
  const flow = table.open({ ...ENDS, remoteIp }, BEARER);
  return { table, flow, records, octets: () => records.map((each) => each.uplinkOctets + each.downlinkOctets) };
}

test('a record is cut by time and by volume, of a flow to what is no proxy from its first octets on', () => {
  const { table, flow, octets } = opened('203.0.113.1');
  table.count(flow, 'uplink', 300);
  vi.advanceTimersByTime(6000);
  table.count(flow, 'uplink', 100_000);
  expect(octets()).toEqual([300, 100_000]);
});

test('a flow to a proxy that is known by its address is cut as any other once it carries more than a handshake', () => {
  const { table, flow, octets } = opened();
  table.count(flow, 'uplink', 300);
  table.count(flow, 'downlink', 20_000);
  vi.advanceTimersByTime(6000);
  expect(octets()).toEqual([20_300]);
  table.count(flow, 'uplink', 1);
  vi.advanceTimersByTime(6000);
  expect(octets()).toEqual([20_300]);
  table.count(flow, 'uplink', 100_000);
  expect(octets()).toEqual([20_300, 100_001]);
});

test('a connection whose SOCKS5 client was answered is in the record of the mark that comes late', () => {
  const { table, flow, records } = opened();
  table.count(flow, 'uplink', 95);
  table.count(flow, 'downlink', 14);
  vi.advanceTimersByTime(9000);
  table.mark({ ...ENDS, proxyIp: ENDS.remoteIp, proxyPort: ENDS.remotePort, ...CHAT });
  vi.advanceTimersByTime(6000);
  expect(records).toMatchObject([{ ...CHAT, uplinkOctets: 95, downlinkOctets: 14 }]);
});

test('a mark of a flow that has ended is distinguished from one of a flow that did not pass, for a minute and until its ports are used again', () => {
  const { table, flow, records } = opened();
  const mark = () => table.mark({ ...ENDS, proxyIp: ENDS.remoteIp, proxyPort: ENDS.remotePort, ...CHAT });
  table.count(flow, 'uplink', 108);
  table.close(flow);
  expect(mark()).toBe('ended');
  expect(records).toMatchObject([{ zeroRatingTag: null, uplinkOctets: 108 }]);
  const next = table.open(ENDS, BEARER);
  expect(mark()).toBe('marked');
  table.close(next);
  vi.advanceTimersByTime(59_000);
  expect(mark()).toBe('ended');
  vi.advanceTimersByTime(6000);
  expect(mark()).toBe('unknown');
});

test('a request that the other side answers late is in the record of the mark, whether a proxy or a tag sets it', () => {
  for (const mark of ['proxy', 'tag']) {
    const { table, flow, records } = opened();
    table.count(flow, 'uplink', 300);
    vi.advanceTimersByTime(9000);
    if (mark === 'tag') expect(table.markByTag(flow, CHAT)).toBe(true);
    else table.mark({ ...ENDS, proxyIp: ENDS.remoteIp, proxyPort: ENDS.remotePort, ...CHAT });
    table.count(flow, 'downlink', 20);
    vi.advanceTimersByTime(6000);
    expect(records).toMatchObject([{ ...CHAT, uplinkOctets: 300, downlinkOctets: 20 }]);
  }
});

test('a record stays open while the flow’s tag is undecided, with what passes meanwhile', () => {
  const { table, flow, records } = opened();
  const tag = { isPending: true };
  flow.tag = tag;
  table.count(flow, 'uplink', 300);
  table.count(flow, 'downlink', 50_000);
  vi.advanceTimersByTime(12_000);
  expect(records).toEqual([]);
  table.markByTag(flow, CHAT);
  tag.isPending = false;
  table.count(flow, 'uplink', 1);
  expect(records).toMatchObject([{ ...CHAT, uplinkOctets: 301, downlinkOctets: 50_000 }]);
});

test('a tag that is refused leaves the record untagged, and it is cut as any other', () => {
  const { table, flow, records } = opened();
  const tag = { isPending: true };
  flow.tag = tag;
  table.count(flow, 'uplink', 300);
  table.count(flow, 'downlink', 20_000);
  vi.advanceTimersByTime(6000);
  expect(records).toEqual([]);
  tag.isPending = false;
  vi.advanceTimersByTime(1000);
  expect(records).toMatchObject([{ zeroRatingTag: null, uplinkOctets: 300 }]);
});

test('what is undecided for 30 s is cut all the same', () => {
  const { table, flow, octets } = opened();
  flow.tag = { isPending: true };
  table.count(flow, 'uplink', 300);
  vi.advanceTimersByTime(29_000);
  expect(octets()).toEqual([]);
  vi.advanceTimersByTime(2000);
  expect(octets()).toEqual([300]);
  table.count(flow, 'uplink', 10_000);
  expect(octets()).toEqual([300, 10_000]);
});
