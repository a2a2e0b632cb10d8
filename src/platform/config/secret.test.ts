import { expect, test } from 'vitest';
import { concealed, revealed, Secret } from './secret.ts';

test('a configuration goes to another thread with its secrets, which there do not print either', () => {
  const config = {
    store: { url: 'http://ch:8123', password: new Secret('swordfish') },
    brokers: ['a:9092', 'b:9092'],
    none: null,
    absent: undefined,
    limit: 7,
    nested: [{ secret: new Secret('') }],
  };
  const there = concealed(structuredClone(revealed(config))) as typeof config;
  expect(there).toEqual(config);
  expect(there.store.password.reveal()).toBe('swordfish');
  expect(there.nested[0].secret.reveal()).toBe('');
  expect(JSON.stringify(there)).not.toContain('swordfish');
});
