import { expect, test } from 'vitest';
import { requestRefusal } from './local-page-guard.ts';

const request = (headers: Record<string, string>, method = 'GET') => ({ headers, method });

test.each([
  [{ host: 'localhost:8123' }],
  [{ host: '127.0.0.1:8123' }],
  [{ host: 'LOCALHOST' }],
  [{ host: '[::1]:8123' }],
  [{ host: 'localhost:8123', origin: 'http://localhost:8123', 'sec-fetch-site': 'same-origin' }],
  [{ host: 'localhost:8123', 'sec-fetch-site': 'none', 'sec-fetch-mode': 'navigate' }],
  [
    {
      host: 'localhost:8123',
      'sec-fetch-site': 'cross-site',
      'sec-fetch-mode': 'navigate',
      'sec-fetch-dest': 'document',
    },
  ],
])('%j is answered', (headers) => {
  expect(requestRefusal(request(headers as never))).toBeNull();
});

test.each([
  ['no host', {}],
  ['a foreign name that resolves to this host', { host: 'evil.example:8123' }],
  ['a name that looks like this host', { host: 'localhost.evil.example' }],
  ['an address of the network', { host: '192.168.0.7:8123' }],
  ['a page of another origin', { host: 'localhost:8123', origin: 'https://evil.example' }],
  ['a page of another port', { host: 'localhost:8123', origin: 'http://localhost:3000' }],
  ['a page without an origin', { host: 'localhost:8123', origin: 'null' }],
  ['an image on another site', { host: 'localhost:8123', 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' }],
  [
    'a frame on another site',
    {
      host: 'localhost:8123',
      'sec-fetch-site': 'cross-site',
      'sec-fetch-mode': 'navigate',
      'sec-fetch-dest': 'iframe',
    },
  ],
])('refused: %s', (_, headers) => {
  expect(requestRefusal(request(headers as never))).not.toBeNull();
});

test('a form on another site is refused', () => {
  const headers = {
    host: 'localhost',
    'sec-fetch-site': 'cross-site',
    'sec-fetch-mode': 'navigate',
    'sec-fetch-dest': 'document',
  };
  expect(requestRefusal(request(headers, 'POST'))).not.toBeNull();
});
