import { createPrivateKey, type KeyObject, randomUUID } from 'node:crypto';
import { SignJWT } from 'jose';
import { ASSERTION_AUDIENCE, ASSERTION_TYPE } from '../session-protocol/identity-assertion.ts';

export interface IdentityIssuerOptions {
  issuer: string;
  keyId: string;
  /** Ed25519, PKCS #8. */
  privateKeyPem: string;
  lifetimeSeconds: number;
}

/** Says, as the operator's network, which MSISDN has which address. */
export class IdentityIssuer {
  readonly #options: IdentityIssuerOptions;
  readonly #key: KeyObject;

  /** Throws when the key is not Ed25519. */
  constructor(options: IdentityIssuerOptions) {
    this.#options = options;
    this.#key = createPrivateKey(options.privateKeyPem);
    if (this.#key.asymmetricKeyType !== 'ed25519') throw new TypeError('the key is not Ed25519');
  }

  assertion(msisdn: string, terminalIp: string, nowMs: number): Promise<string> {
    const { issuer, keyId, lifetimeSeconds } = this.#options;
    const issuedAt = Math.floor(nowMs / 1000);
    return new SignJWT({ terminalIp })
      .setProtectedHeader({ alg: 'EdDSA', kid: keyId, typ: ASSERTION_TYPE })
      .setIssuer(issuer)
      .setSubject(msisdn)
      .setAudience(ASSERTION_AUDIENCE)
      .setJti(randomUUID())
      .setIssuedAt(issuedAt)
      .setExpirationTime(issuedAt + lifetimeSeconds)
      .sign(this.#key);
  }
}
