import { expect, test } from 'vitest';
import { parseNodeCountries } from './node-countries.ts';

test('a list of nodes is read with and without a header line, with any line ends', () => {
  const countries = new Map([
    ['gw-1', 'DE'],
    ['gw-2', 'FR'],
  ]);
  expect(parseNodeCountries('nodeId,country\ngw-1,DE\ngw-2,FR\n')).toEqual({ countries });
  expect(parseNodeCountries('gw-1, DE\r\n\r\ngw-2,FR')).toEqual({ countries });
});

test.each([
  ['gw-1,Germany', '1: expected a country of two capital letters, as DE'],
  ['gw-1', '1: expected a country of two capital letters, as DE'],
  ['gw-1,DE\ngw-1,FR', '2: node gw-1 is listed twice'],
  ['gw-1,DE,Berlin', '1: expected nodeId,country'],
  [',DE', '1: expected nodeId,country'],
  ['nodeId,country\n', '1: expected a line nodeId,country for each node'],
])('%j is refused by its line', (text, fault) => {
  expect(parseNodeCountries(text)).toEqual({ faults: [fault] });
});
