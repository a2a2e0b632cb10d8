/** What OpenSSL and Node call what is wrong with the certificate of the other side. */
const UNTRUSTED = new Set([
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'CERT_SIGNATURE_FAILURE',
  'CERT_UNTRUSTED',
  'INVALID_CA',
]);

/**
 * What is wrong between two sides that do not agree on TLS, and what to do about it; null where the error is another one.
 * `field` is the configuration's that holds the certificates.
 */
export function tlsFailure(error: unknown, field: string): string | null {
  for (let at = error, depth = 0; at instanceof Error && depth < 10; at = at.cause, depth++) {
    const code = 'code' in at ? String(at.code) : '';
    const failure = failureOf(code, field);
    if (failure !== null) return `${failure} (${at.message})`;
  }
  return null;
}

function failureOf(code: string, field: string): string | null {
  if (UNTRUSTED.has(code))
    return `no authority in ${field}.caFile has signed the server's certificate; name the one that has`;
  if (code === 'CERT_HAS_EXPIRED') return "the server's certificate has expired; renew it on the server";
  if (code === 'CERT_NOT_YET_VALID') return "the server's certificate is not valid yet; see that the clocks are right";
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return "the server's certificate is for another host; use a name that it has, or renew it with this one";
  }
  if (code.endsWith('ALERT_CERTIFICATE_REQUIRED') || code.endsWith('ALERT_BAD_CERTIFICATE')) {
    return `the server asks for a client certificate that it trusts; set ${field}.certFile and ${field}.keyFile`;
  }
  if (code === 'EPROTO' || code.startsWith('ERR_SSL_')) {
    return `TLS was refused; see that the port speaks TLS, and that ${field} has the certificate and key it asks for`;
  }
  return null;
}
