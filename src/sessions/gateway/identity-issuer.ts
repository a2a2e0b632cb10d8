import { createPrivateKey, type KeyObject } from 'node:crypto';
import { identityClaims, signIdentityAssertion } from '../protocol/identity-assertion.ts';

export interface IdentityIssuerOptions {
  issuer: string;
  keyId: string;
  /** Ed25519, PKCS #8. */
  privateKeyPem: string;
  /** Whole seconds. */
  lifetimeMs: number;
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
    const { issuer, keyId, lifetimeMs } = this.#options;
    const claims = identityClaims({ issuer, msisdn, terminalIp }, nowMs, lifetimeMs / 1000);
    return signIdentityAssertion(claims, { keyId, privateKey: this.#key });
  }
}
