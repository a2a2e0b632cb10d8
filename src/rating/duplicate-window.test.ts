import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DuplicateWindow } from './lane.ts';

const record = fc.record({
  node: fc.integer({ min: 0, max: 2 }),
  sequence: fc.oneof(
    fc.integer({ min: 0, max: 40 }),
    fc.integer({ min: 0, max: 9 }).map((line) => line * 16),
    fc.integer({ min: 2 ** 52, max: 2 ** 53 - 1 }),
  ),
  fingerprint: fc.integer({ min: 0, max: 1 }),
  /** A record that was rejected by `admit` takes an ordinal and no identity. */
  isRead: fc.boolean(),
  /** One that is refused gives its identity back. */
  isRefused: fc.boolean(),
});

/** Small ones, and such as grow a few times; of lanes that are new, and of ones that continue. */
const windows = fc.record({
  size: fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 50, max: 400 })),
  firstPlaces: fc.integer({ min: 1, max: 40 }),
  firstOrdinal: fc.constantFrom(0, 1, 7, 1_000_003),
});

test('the window knows exactly the identities of the last records, as a plain list does', () => {
  fc.assert(
    fc.property(windows, fc.array(record, { maxLength: 300 }), ({ size, firstPlaces, firstOrdinal }, records) => {
      const window = new DuplicateWindow(size, firstPlaces);
      let list: { ordinal: number; node: number; sequence: number; fingerprint: number }[] = [];
      records.forEach(({ node, sequence, fingerprint, isRead, isRefused }, index) => {
        const ordinal = firstOrdinal + index;
        window.advance(ordinal);
        list = list.filter((entry) => entry.ordinal > ordinal - size);
        if (!isRead) return;
        const known = list.find((entry) => entry.node === node && entry.sequence === sequence);
        const expected = known === undefined ? 'new' : known.fingerprint === fingerprint ? 'duplicate' : 'conflict';
        expect(window.find(node, sequence, fingerprint)).toBe(expected);
        expect(window.see(ordinal, node, sequence, fingerprint)).toBe(expected);
        if (known !== undefined) return;
        if (isRefused) window.forget(ordinal);
        else list.push({ ordinal, node, sequence, fingerprint });
      });
    }),
    { numRuns: 2000 },
  );
});

test('a node whose numbers go up in steps of a whole line has the window all the same', () => {
  const window = new DuplicateWindow(1000);
  for (let ordinal = 0; ordinal < 5000; ordinal++) {
    window.advance(ordinal);
    expect(window.see(ordinal, 0, ordinal * 16 + 3, ordinal)).toBe('new');
    const before = Math.max(0, ordinal - 999);
    expect(window.see(ordinal, 0, before * 16 + 3, before)).toBe('duplicate');
  }
});

test('a window that is restored from its middle continues the same', () => {
  const [whole, restored] = [new DuplicateWindow(4), new DuplicateWindow(4)];
  for (let ordinal = 0; ordinal < 10; ordinal++) {
    whole.advance(ordinal);
    whole.see(ordinal, 0, ordinal, 0);
    if (ordinal >= 6) restored.see(ordinal, 0, ordinal, 0);
  }
  for (let ordinal = 10; ordinal < 14; ordinal++) {
    for (const window of [whole, restored]) window.advance(ordinal);
    const sequence = 17 - ordinal;
    expect(restored.see(ordinal, 0, sequence, 0)).toBe(whole.see(ordinal, 0, sequence, 0));
  }
});

test('an identity in the place of one that was not let go is a bug', () => {
  const window = new DuplicateWindow(4);
  window.see(0, 0, 0, 0);
  expect(() => window.see(4, 0, 4, 0)).toThrow('ordinal 4 was not announced');
});

test('a window that was restored with room for all continues the same as one that has grown', () => {
  const [grown, restored] = [new DuplicateWindow(5000), new DuplicateWindow(5000)];
  restored.reserve(100, 4100);
  for (let ordinal = 100; ordinal < 12_000; ordinal++) {
    const seen = [grown, restored].map((window) => {
      // What is restored is not announced.
      if (ordinal >= 4100) window.advance(ordinal);
      return window.see(ordinal, ordinal % 3, Math.floor(ordinal / 3) % 2000, 0);
    });
    expect(seen[1]).toBe(seen[0]);
  }
  expect(restored.bytes).toBe(grown.bytes);
});

test('a window takes what it has seen: 1,000 records 32 KiB at most, a million about 24 bytes each', () => {
  const window = new DuplicateWindow(1_000_000);
  expect(window.bytes).toBeLessThan(20 * 1024);
  for (let ordinal = 0; ordinal < 1000; ordinal++) {
    window.advance(ordinal);
    window.see(ordinal, 0, ordinal, 0);
  }
  expect(window.bytes).toBeLessThanOrEqual(32 * 1024);
  for (let ordinal = 1000; ordinal < 2_500_000; ordinal++) {
    window.advance(ordinal);
    window.see(ordinal, 0, ordinal, 0);
  }
  expect(window.bytes / window.size).toBeGreaterThan(20);
  expect(window.bytes / window.size).toBeLessThan(26);
});
