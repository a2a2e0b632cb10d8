import { performance } from 'node:perf_hooks';
import { expect, test } from 'vitest';
import { Random } from './random.ts';
import { createRemoteAddresses } from './remote-addresses.ts';

const DRAWS = 20_000;

const targetsOf = (count: number) =>
  Array.from({ length: count }, (_, at) => ({
    tags: [],
    prefixes: [`11.${at >> 8}.${at & 255}.0/24`, `11.${at >> 8}.${at & 255}.128/25`],
  }));

function drawMs(count: number): number {
  const addresses = createRemoteAddresses(targetsOf(count));
  const random = new Random(1);
  const beginMs = performance.now();
  for (let draw = 0; draw < DRAWS; draw++) {
    addresses.ofTarget(draw % count, random);
    addresses.unclaimed(random);
  }
  return performance.now() - beginMs;
}

test('an address is drawn in about the same time from a thousand times as many prefixes', () => {
  drawMs(10);
  expect(drawMs(10_000)).toBeLessThan(drawMs(10) * 20);
});

test('an address of a target is in no longer prefix of another target', () => {
  const [outer, inner] = [
    { tags: [], prefixes: ['198.51.100.0/24'] },
    { tags: [], prefixes: ['198.51.100.0/25'] },
  ];
  const addresses = createRemoteAddresses([outer, inner]);
  const random = new Random(2);
  const lastOf = (target: number) => Number(addresses.ofTarget(target, random).remoteIp.split('.')[3]);
  for (let draw = 0; draw < 500; draw++) {
    expect(lastOf(0)).toBeGreaterThanOrEqual(128);
    expect(lastOf(1)).toBeLessThan(128);
  }
});

test('an address comes with the protocol and ports that its prefix is for, of a network that two targets share', () => {
  const always = { text: '198.51.100.0/24', fromMs: Number.NEGATIVE_INFINITY, toMs: Number.POSITIVE_INFINITY };
  const flows = [6, 17].map((protocol) => ({ protocol, ports: [{ first: 443, last: 443 }] }));
  const addresses = createRemoteAddresses(flows.map((flow) => ({ tags: [], prefixes: [{ ...always, flow }] })));
  const random = new Random(3);
  for (const target of [0, 1]) {
    expect(addresses.ofTarget(target, random)).toEqual({
      remoteIp: expect.stringMatching(/^198\.51\.100\./),
      flow: flows[target],
    });
  }
});
