import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { expect, test } from 'vitest';
import { rarely } from '../telemetry/rare-log.ts';
import { addressGroup } from './address-group.ts';
import { type ConnectionBound, ConnectionLimits } from './connection-limits.ts';
import { fitConnections, openFilesLimit } from './open-files.ts';

class TestSocket extends EventEmitter {
  destroyed = false;
  readonly remoteAddress: string;
  constructor(remoteAddress: string) {
    super();
    this.remoteAddress = remoteAddress;
  }
  destroy(): void {
    this.destroyed = true;
    this.emit('close');
  }
}

const socketOf = (address: string) => new TestSocket(address) as unknown as Socket & TestSocket;

function limits(connectionsPerAddress: number, connections: number) {
  const reached: ConnectionBound[] = [];
  const gate = new ConnectionLimits({ connectionsPerAddress, connections, onReached: (bound) => reached.push(bound) });
  const enter = (address: string) => {
    const socket = socketOf(address);
    return { socket, entered: gate.enter(socket) };
  };
  return { gate, enter, reached };
}

test('a new connection takes the place of the one of its address that waits longest', () => {
  const { gate, enter, reached } = limits(2, 10);
  const [first, second, other] = [enter('10.0.0.1'), enter('10.0.0.1'), enter('10.0.0.2')];
  gate.hold(first.socket);
  gate.release(first.socket);
  expect(enter('10.0.0.1').entered).toBe(true);
  expect([first, second, other].map(({ socket }) => socket.destroyed)).toEqual([false, true, false]);
  expect([gate.open, reached, gate.closed]).toEqual([3, ['address'], { address: 1, total: 0 }]);
});

test('connections that are held or trusted keep their place: the new one is refused', () => {
  const { gate, enter } = limits(2, 3);
  const [held, trusted] = [enter('10.0.0.1'), enter('10.0.0.1')];
  gate.hold(held.socket);
  gate.trust(trusted.socket);
  gate.release(trusted.socket);
  expect(enter('10.0.0.1').entered).toBe(false);
  const elsewhere = enter('10.0.0.2');
  expect(enter('10.0.0.3').entered).toBe(true);
  expect(elsewhere.socket.destroyed).toBe(true);
  expect(gate.closed).toEqual({ address: 1, total: 1 });
  held.socket.destroy();
  expect(enter('10.0.0.1').entered).toBe(true);
  expect(gate.open).toBe(3);
});

test('a closed connection is forgotten once', () => {
  const { gate, enter } = limits(2, 10);
  const { socket } = enter('10.0.0.1');
  socket.destroy();
  socket.destroy();
  gate.release(socket);
  expect(gate.open).toBe(0);
  expect([enter('10.0.0.1').entered, enter('10.0.0.1').entered, gate.open]).toEqual([true, true, 2]);
});

test.each([
  ['10.1.2.3', '10.1.2.3'],
  ['::ffff:10.1.2.3', '10.1.2.3'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:DB8:1:2::', '2001:db8:1:2::/64'],
  ['2001:db8::9', '2001:db8:0:0::/64'],
  ['2001:db8:0:0:1::1', '2001:db8:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
  ['64:ff9b::10.1.2.3', '64:ff9b:0:0::/64'],
  ['', ''],
])('the address %s counts as %s', (address, group) => {
  expect(addressGroup(address)).toBe(group);
});

test('the limit of open files is compared with the connections, and the remedy is named', () => {
  const text =
    'Max processes             1000                 2000                 processes\nMax open files            4096                 8192                 files\n';
  expect(openFilesLimit(text)).toBe(4096);
  expect(openFilesLimit('Max open files            unlimited            unlimited            files\n')).toBeNull();
  const need = { field: 'limits.connections', connections: 20_000, filesPerConnection: 2, otherFiles: 200 };
  const { connections, warning } = fitConnections(need, 4096);
  expect(connections).toBe((4096 - 200 - 256) / 2);
  expect(warning).toMatch(/limits\.connections = 20000 needs 40456.*accepts 1820.*ulimit -n 40456.*LimitNOFILE=40456/);
  expect(fitConnections(need, 40_456)).toEqual({ connections: 20_000, warning: null });
  expect(fitConnections(need, null).warning).toBeNull();
});

test('a flood of events is one line', () => {
  const lines: [string, number][] = [];
  const log = rarely<'a' | 'b'>((subject, times) => lines.push([subject, times]));
  for (let i = 0; i < 1000; i++) log('a');
  log('b');
  expect(lines).toEqual([
    ['a', 1],
    ['b', 1],
  ]);
});
