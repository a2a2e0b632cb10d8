import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DuplicateWindow } from './duplicate-window.ts';

const record = fc.record({
  node: fc.integer({ min: 0, max: 2 }),
  sequence: fc.oneof(
    fc.integer({ min: 0, max: 40 }),
    fc.integer({ min: 0, max: 9 }).map((line) => line * 16),
    fc.integer({ min: 2 ** 52, max: 2 ** 53 - 1 }),
  ),
  fingerprint: fc.integer({ min: 0, max: 1 }),
  /** A record that was rejected at the door takes an ordinal and no identity. */
  isRead: fc.boolean(),
  /** One that is refused gives its identity back. */
  isRefused: fc.boolean(),
});

test('the window knows exactly the identities of the last records, as a plain list does', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 20 }), fc.array(record, { maxLength: 300 }), (size, records) => {
      const window = new DuplicateWindow(size);
      let list: { ordinal: number; node: number; sequence: number; fingerprint: number }[] = [];
      records.forEach(({ node, sequence, fingerprint, isRead, isRefused }, ordinal) => {
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

test('a window that is restored from its middle goes on the same', () => {
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

test('a million identities take about 24 octets each', () => {
  const before = process.memoryUsage().arrayBuffers;
  const window = new DuplicateWindow(1_000_000);
  const octets = process.memoryUsage().arrayBuffers - before;
  window.see(0, 0, 0, 0);
  expect(octets / window.size).toBeGreaterThan(20);
  expect(octets / window.size).toBeLessThan(26);
});
