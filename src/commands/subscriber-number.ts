import { isSubscriberNumber } from '../billing/pseudonym.ts';
import { ConfigError } from '../platform/config-error.ts';

/** Throws a ConfigError, which does not repeat what may be a subscriber's number. */
export function requireNumber(text: string): string {
  if (isSubscriberNumber(text)) return text;
  throw new ConfigError('an MSISDN or IMSI is 1 to 15 digits, without + or spaces');
}
