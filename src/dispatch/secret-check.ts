import { createHash } from 'node:crypto';

/** The secret or token of `Authorization: Bearer`; undefined when the header is not of that form. */
export function bearerOf(authorization: string | undefined): string | undefined {
  return /^Bearer ([^\s]+)$/i.exec(authorization ?? '')?.[1];
}

/** Whose secret a request shows. Proxies may share one. */
export type SecretHolder = { kind: 'operator' } | { kind: 'proxy'; proxyIds: readonly string[] };

/**
 * Returns what finds the holder of a secret by its digest, so that the time says nothing about how much of a guess was right and a
 * request costs one digest however many proxies there are.
 */
export function secretHolders(
  proxySecrets: ReadonlyMap<string, string>,
  operatorSecret: string,
): (given: string | undefined) => SecretHolder | null {
  const byDigest = new Map<string, SecretHolder>();
  for (const [proxyId, secret] of proxySecrets) {
    const known = byDigest.get(digestOf(secret));
    const others = known?.kind === 'proxy' ? known.proxyIds : [];
    byDigest.set(digestOf(secret), { kind: 'proxy', proxyIds: [...others, proxyId] });
  }
  byDigest.set(digestOf(operatorSecret), { kind: 'operator' });
  return (given) => (given === undefined ? null : (byDigest.get(digestOf(given)) ?? null));
}

function digestOf(secret: string): string {
  return createHash('sha256').update(secret).digest('base64');
}
