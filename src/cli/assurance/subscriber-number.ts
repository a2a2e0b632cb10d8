import { ConfigError } from '../../platform/config/config-error.ts';
import { type MsisdnForms, msisdnFault, normalMsisdn } from '../../rating/record/msisdn.ts';
import { isAccountId } from '../../rating/record/validate.ts';
import { isSubscriberNumber } from '../../rating/subscribers.ts';

/** The MSISDN in normal form. Throws a ConfigError, which does not repeat what may be a subscriber's number. */
export function requireMsisdn(text: string, forms: MsisdnForms): string {
  const normal = normalMsisdn(text, forms);
  if (normal === null) throw new ConfigError(`the MSISDN ${msisdnFault(text, forms)}`);
  return normal;
}

/** An IMSI, whose country code may begin with 0. Throws a ConfigError, which does not repeat it. */
export function requireImsi(text: string): string {
  if (isSubscriberNumber(text)) return text;
  throw new ConfigError('an IMSI is 1 to 15 digits, without spaces');
}

/** An account as flow records name it. Throws a ConfigError, which does not repeat it. */
export function requireAccount(text: string): void {
  if (!isAccountId(text)) throw new ConfigError('an account is 1 to 64 printable ASCII characters, without spaces');
}

/** Collects an option that is given once for each account: one that took all that follows would take the subscriber's number, too. */
export function eachAccount(id: string, before: readonly string[] = []): string[] {
  return [...before, id];
}
