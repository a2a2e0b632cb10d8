import { expect, test } from 'vitest';
import { parseCatalogue } from './catalogue-compile.ts';
import { largeCatalogue, shortestMs } from './large-catalogue.fixture.ts';

const read = (text: string) => {
  const { catalogue } = parseCatalogue(text, 'large.yaml');
  if (catalogue === undefined) throw new Error('the catalogue has faults');
  return catalogue;
};

test('four times the catalogue takes about four times as long', () => {
  const [quarter, whole] = [largeCatalogue(300), largeCatalogue(1200)];
  expect(read(whole).plans).toHaveLength(1200);
  const ratio = shortestMs(() => read(whole)) / shortestMs(() => read(quarter));
  expect(ratio).toBeLessThan(12);
}, 60_000);

test('a fault deep in it has its line', () => {
  const text = largeCatalogue(300).replace('application: app-299\n', 'application: app-300\n');
  const line = text.split('\n').indexOf('    application: app-300') + 1;
  expect(parseCatalogue(text, 'large.yaml').faults).toMatchObject([{ line, path: 'plans[299].application' }]);
});
