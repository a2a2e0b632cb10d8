import { expect, test } from 'vitest';
import { Handover } from './handover.ts';

test('items come in their order, and each is taken when the next one is asked for', async () => {
  const handover = new Handover<number>();
  const given: number[] = [];
  const giving = (async () => {
    for (const item of [1, 2]) {
      await handover.give(item);
      given.push(item);
    }
    handover.end();
  })();
  const got: number[] = [];
  for await (const item of handover.items()) {
    expect(given).toEqual(got);
    got.push(item);
  }
  await giving;
  expect([got, given]).toEqual([
    [1, 2],
    [1, 2],
  ]);
});

test('a reader that fails releases who gave the item that it was at', async () => {
  const handover = new Handover<number>();
  const giving = handover.give(1);
  const reading = (async () => {
    for await (const item of handover.items()) throw new Error(`item ${item}`);
  })();
  await expect(reading).rejects.toThrow('item 1');
  handover.abandon();
  await expect(giving).resolves.toBeUndefined();
  await expect(handover.give(2)).resolves.toBeUndefined();
}, 2000);

test('a giver that fails ends the reader with its failure, after what was given', async () => {
  const handover = new Handover<number>();
  void handover.give(1);
  handover.fail(new Error('no more'));
  const items = handover.items();
  expect((await items.next()).value).toBe(1);
  await expect(items.next()).rejects.toThrow('no more');
});
