import { dirname, resolve } from 'node:path';
import type { JWTVerifyGetKey } from 'jose';
import type { Clock } from '../../../platform/clock.ts';
import { ConfigError } from '../../../platform/config/config-error.ts';
import { readTlsFiles } from '../../../platform/network/tls-files.ts';
import type { Logger } from '../../../platform/telemetry/logger.ts';
import type { Application, Catalogue } from '../../../rating/catalogue.ts';
import { ACCOUNT_ALGORITHMS, ACCOUNT_TYPE, accountClaimsSchema } from '../../protocol/account-assertion.ts';
import { accountNameFault } from '../../protocol/account-name.ts';
import type { DispatchConfig } from '../dispatch-config.ts';
import { AccountCallback } from './account-callback.ts';
import { type AccountSettings, accountSchema } from './account-config-schema.ts';
import { readAccountRegistry, registryVerifier } from './account-registry.ts';
import {
  type AccountClaim,
  type AccountVerdict,
  type AccountVerifier,
  unverified,
  verifiedAccount,
} from './account-verifier.ts';
import { readKeySet, remoteKeySet } from './read-key-set.ts';
import { verifyAssertion } from './verify-assertion.ts';

const RETRY_AFTER_MS = 1000;

export interface AccountsOptions {
  config: Pick<DispatchConfig, 'catalogue' | 'applications' | 'http' | 'secrets'>;
  clock: Clock;
  logger: Logger;
}

/** How accounts of one application are proven, and how many subscribers one may have. */
export interface ApplicationAccounts {
  verifier: AccountVerifier;
  subscribersPerAccount: number;
}

/** Verifies accounts, each application's in the one way that is configured for it. */
export class Accounts {
  #byApplication: ReadonlyMap<string, ApplicationAccounts>;
  readonly #logger: Logger;
  /** How many verifications could not be made, by application. */
  readonly #unavailable = new Map<string, number>();

  constructor(byApplication: ReadonlyMap<string, ApplicationAccounts>, logger: Logger) {
    this.#byApplication = byApplication;
    this.#logger = logger;
  }

  get byApplication(): ReadonlyMap<string, ApplicationAccounts> {
    return this.#byApplication;
  }

  /** Verifications that a sponsor's endpoint or keys did not answer, by application, since the start. */
  get unavailable(): ReadonlyMap<string, number> {
    return this.#unavailable;
  }

  /** Other ways from now on, as `readAccounts` has read them again. */
  take(byApplication: ReadonlyMap<string, ApplicationAccounts>): void {
    this.#byApplication = byApplication;
  }

  subscribersPerAccount(applicationId: string): number {
    return this.#byApplication.get(applicationId)?.subscribersPerAccount ?? 1;
  }

  /** Forgets remembered proofs of a subscriber, of one application or of all. */
  forget(subscriber: string, applicationId?: string): void {
    for (const [id, { verifier }] of this.#byApplication) {
      if (applicationId === undefined || applicationId === id) verifier.forget?.(subscriber);
    }
  }

  /** The proven account. Whatever fails, and where no way is configured, it is a refusal; so is an account that is not the wanted one. */
  async verify(claim: AccountClaim, nowMs: number): Promise<AccountVerdict> {
    const application = this.#byApplication.get(claim.applicationId);
    if (application === undefined) return unverified('no way of verifying accounts of the application is configured');
    const fault = claim.wanted === undefined ? null : accountNameFault(claim.wanted);
    if (fault !== null) return unverified(`applicationAccount: ${fault}`);
    try {
      const verdict = await application.verifier.verify(claim, nowMs);
      if (verdict.refusal !== undefined) {
        if (verdict.retryAfterMs !== undefined) this.#noteUnavailable(claim.applicationId);
        return verdict;
      }
      const isWanted = claim.wanted === undefined || claim.wanted === verdict.account;
      return isWanted ? verdict : unverified('another account is proven than the one that applicationAccount names');
    } catch (error) {
      this.#logger.warn({ err: error, applicationId: claim.applicationId }, 'an account could not be verified');
      this.#noteUnavailable(claim.applicationId);
      return unverified('not now', RETRY_AFTER_MS);
    }
  }

  #noteUnavailable(applicationId: string): void {
    this.#unavailable.set(applicationId, (this.#unavailable.get(applicationId) ?? 0) + 1);
  }
}

/**
 * Reads what accounts are verified with: key sets, registries, secrets. Throws a ConfigError with a line for every application of the
 * catalogue that has no way of verification. `before` is what was read last: a callback with the same settings keeps its state.
 */
export function readAccounts(
  options: AccountsOptions,
  catalogue: Catalogue,
  before: ReadonlyMap<string, ApplicationAccounts> = new Map(),
): Map<string, ApplicationAccounts> {
  const byApplication = new Map<string, ApplicationAccounts>();
  const faults: string[] = [];
  for (const application of catalogue.applications) {
    const settings = options.config.applications[application.id]?.account ?? accountSchema.parse({});
    try {
      const verifier = verifierOf(options, application, settings, before.get(application.id)?.verifier);
      byApplication.set(application.id, { verifier, subscribersPerAccount: settings.subscribersPerAccount });
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      faults.push(error.message);
    }
  }
  if (faults.length > 0) throw new ConfigError(faults);
  return byApplication;
}

function verifierOf(
  { config, clock, logger }: AccountsOptions,
  application: Application,
  settings: AccountSettings,
  before: AccountVerifier | undefined,
): AccountVerifier {
  const { id: applicationId } = application;
  switch (settings.way) {
    case 'assertion':
      return assertionVerifier({ applicationId, ...keysOf(application, config.catalogue) });
    case 'callback':
      return callbackOf(applicationId, settings, { config, clock, logger }, before);
    case 'registry':
      return registryVerifier(readAccountRegistry(settings.registry?.file ?? '', settings.subscribersPerAccount));
    case 'development':
      return developmentVerifier(applicationId, config, logger);
    case 'none':
      return { verify: async () => unverified('this dispatch server gives no sessions of the application') };
  }
}

function keysOf({ id, accountKeys }: Application, catalogueFile: string) {
  if (accountKeys === undefined) {
    throw new ConfigError(
      `application ${id}: no way of verifying its accounts is configured: name accountKeys in the catalogue, or ` +
        `applications.${id}.account in the configuration of the dispatch server (callback, registry; none: it gives no sessions of it)`,
    );
  }
  const { issuer, jwksFile, jwksUrl } = accountKeys;
  const getKey =
    jwksUrl === undefined ? readKeySet(resolve(dirname(catalogueFile), jwksFile ?? '')) : remoteKeySet(jwksUrl);
  return { issuer, getKey };
}

/** A callback; the one of before, with its answers and its failures, where its settings are the same. */
function callbackOf(
  applicationId: string,
  { callback }: AccountSettings,
  { config, clock, logger }: AccountsOptions,
  before: AccountVerifier | undefined,
): AccountCallback {
  const secret = config.secrets.callbacks.get(applicationId)?.reveal();
  if (callback === undefined || secret === undefined) throw new Error('a callback was configured without its settings');
  const { url, timeoutMs, cacheIntervalMs: cacheMs, retryDelayMs: retryAfterMs, tls = {} } = callback;
  const certificates = readTlsFiles(tls, `applications.${applicationId}.account.callback.tls`);
  const settings = { url, secret, timeoutMs, cacheMs, retryAfterMs, certificates };
  if (before instanceof AccountCallback && before.hasSettings(settings)) return before;
  return new AccountCallback(settings, {
    clock,
    onFailure: (problem) => logger.warn({ applicationId, problem }, "a sponsor's account endpoint fails"),
  });
}

/** Takes the terminal's word, and warns of it. Throws a ConfigError unless the server can only be reached from this machine. */
function developmentVerifier(
  applicationId: string,
  { http }: AccountsOptions['config'],
  logger: Logger,
): AccountVerifier {
  if (!isLoopback(http.host) || http.trustedProxies.length > 0) {
    throw new ConfigError(
      `applications.${applicationId}.account: way development accepts any account without proof, and is for http.host 127.0.0.1 ` +
        'or ::1 without http.trustedProxies only; configure assertion, callback or registry',
    );
  }
  logger.warn(
    { applicationId },
    'ACCOUNTS ARE NOT VERIFIED: every terminal can take the messages of every account of this application; for development only',
  );
  return {
    verify: async ({ wanted }) =>
      wanted === undefined ? unverified('name an account as applicationAccount') : verifiedAccount(wanted),
  };
}

function isLoopback(host: string): boolean {
  return /^127(\.\d{1,3}){3}$/.test(host) || host === '::1' || host === 'localhost';
}

interface AccountAssertionOptions {
  applicationId: string;
  /** Of the key set: `iss` of the assertions. */
  issuer: string;
  getKey: JWTVerifyGetKey;
}

/**
 * Verifies account assertions that the sponsor of an application has signed. An assertion holds for this application, for the
 * identity assertion that it names (`AccountClaims` says why), and once.
 */
export function assertionVerifier({ applicationId, issuer, getKey }: AccountAssertionOptions): AccountVerifier {
  return {
    async verify({ assertion, identity }, nowMs) {
      if (assertion === undefined) return unverified("send the sponsor's account assertion as accountAssertion");
      const verdict = await verifyAssertion(assertion, {
        getKey,
        issuer,
        algorithms: ACCOUNT_ALGORITHMS,
        typ: ACCOUNT_TYPE,
        claims: accountClaimsSchema,
        nowMs,
      });
      if (verdict.fault !== undefined)
        return unverified(`the account assertion is ${verdict.fault}: ${verdict.detail}`);
      const { claims } = verdict;
      if (claims.applicationId !== applicationId) return unverified('the account assertion is of another application');
      if (claims.identity.iss !== identity.iss || claims.identity.jti !== identity.jti) {
        return unverified('the account assertion is bound to another identity assertion');
      }
      const named = verifiedAccount(claims.sub);
      if (named.refusal !== undefined) return named;
      // An application of its own each: an issuer of this name may sign identities or another application's accounts, too.
      const id = { issuer: `account ${applicationId} ${issuer}`, id: claims.jti, expiresAtMs: claims.exp * 1000 };
      return { account: named.account, assertion: id };
    },
  };
}
