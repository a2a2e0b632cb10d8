import { expect, test } from 'vitest';
import { tlsFailure } from './tls-failure.ts';

const failed = (code: string, message = 'said OpenSSL') => Object.assign(new Error(message), { code });

test.each([
  ['SELF_SIGNED_CERT_IN_CHAIN', /^no authority in store\.tls\.caFile has signed .* \(said OpenSSL\)$/],
  ['CERT_HAS_EXPIRED', /has expired; renew it/],
  ['CERT_NOT_YET_VALID', /clocks/],
  ['ERR_TLS_CERT_ALTNAME_INVALID', /another host/],
  [
    'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED',
    /asks for a client certificate that it trusts; set .*\.certFile and .*\.keyFile/,
  ],
])('%s is reported with a remedy, however deep it is', (code, message) => {
  expect(tlsFailure(failed(code), 'store.tls')).toMatch(message);
  const wrapped = new Error('gave up', { cause: new Error('retried', { cause: failed(code) }) });
  expect(tlsFailure(wrapped, 'store.tls')).toMatch(message);
});

test.each([failed('ECONNREFUSED'), failed(''), new Error('none'), 'a text', null])('%s is another failure', (error) => {
  expect(tlsFailure(error, 'store.tls')).toBe(null);
});
