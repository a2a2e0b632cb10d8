import { KEPT_CATALOGUES } from '../journal/kept-catalogues.ts';
import { literal, type Store } from '../platform/clickhouse/store.ts';
import { ConfigError } from '../platform/config/config-error.ts';
import { minorDigitsOf } from '../rating/catalogue/currencies.ts';

/** A sponsor in the store. */
export interface KnownSponsor {
  id: string;
  name: string;
  /** ISO 4217. */
  currency: string;
  /** Decimals that amounts of the currency are rounded to. */
  minorDigits: number;
}

/** `minorDigits` is null where the catalogue was stored without them. */
type SponsorRow = Omit<KnownSponsor, 'minorDigits'> & { minorDigits: number | null };

/** ORDER BY of `catalogues`: the newest that a batch was rated with, before those that a re-rating alone has kept. */
export const NEWEST_BOOKED_FIRST =
  "hash IN (SELECT catalogue_hash FROM journal WHERE kind = 'batch') DESC, first_used_at DESC, hash";

const SHOWN_SPONSORS = 20;
const SPONSORS =
  "JSONExtract(document, 'sponsors', 'Array(Tuple(id String, name String, currency String, minorDigits Nullable(UInt8)))')";

/**
 * Returns a sponsor from the newest catalogue that names it (see NEWEST_BOOKED_FIRST); where none does, from its account.
 * Rejects with a ConfigError when neither has it.
 */
export async function findSponsor(store: Store, sponsorId: string): Promise<KnownSponsor> {
  const [named] = await store.query<SponsorRow>(
    `SELECT sponsor.1 AS id, sponsor.2 AS name, sponsor.3 AS currency, sponsor.4 AS minorDigits FROM ${KEPT_CATALOGUES} ARRAY JOIN ${SPONSORS} AS sponsor ` +
      `WHERE sponsor.1 = ${literal(sponsorId)} ORDER BY ${NEWEST_BOOKED_FIRST} LIMIT 1`,
  );
  if (named !== undefined) return withDecimals(named);
  const [account] = await store.query<SponsorRow>(
    'SELECT sponsor_id AS id, sponsor_id AS name, currency, NULL AS minorDigits FROM account_entries ' +
      `WHERE sponsor_id = ${literal(sponsorId)} ORDER BY number DESC LIMIT 1`,
  );
  if (account !== undefined) return withDecimals(account);
  const known = await store.query<{ id: string }>(
    `SELECT DISTINCT sponsor.1 AS id FROM ${KEPT_CATALOGUES} ARRAY JOIN ${SPONSORS} AS sponsor ORDER BY id LIMIT ${SHOWN_SPONSORS}`,
  );
  const those = known.length === 0 ? 'none yet' : known.map(({ id }) => id).join(', ');
  throw new ConfigError(`${sponsorId}: the store knows no such sponsor; it knows ${those}`);
}

function withDecimals(row: SponsorRow): KnownSponsor {
  const { currency, minorDigits } = row;
  return { ...row, minorDigits: minorDigits === null ? minorDigitsOf(currency) : Number(minorDigits) };
}
