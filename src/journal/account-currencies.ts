import { literal, type Store } from '../platform/clickhouse/store.ts';
import { ConfigError } from '../platform/config/config-error.ts';

/** A sponsor, and the currency (ISO 4217) that it has in a catalogue. */
interface Payer {
  id: string;
  currency: string;
}

/**
 * Returns by sponsor every currency that its account has: of charges, corrections, account entries and closings. `sponsorId` absent: of
 * all sponsors.
 */
export async function readAccountCurrencies(store: Store, sponsorId?: string): Promise<Map<string, string[]>> {
  const ofSponsor =
    sponsorId === undefined ? "currency != ''" : `sponsor_id = ${literal(sponsorId)} AND currency != ''`;
  const accountOf = (table: string, rows = 'true') =>
    `SELECT toString(sponsor_id) AS id, toString(currency) AS code FROM ${table} WHERE ${rows} AND ${ofSponsor} GROUP BY sponsor_id, currency`;
  const parts = [
    accountOf('journal', "kind = 'charge'"),
    accountOf('corrections', "kind != 'head'"),
    accountOf('account_entries'),
    accountOf('closings'),
  ];
  const rows = await store.query<{ id: string; currencies: string[] }>(
    `SELECT id, arraySort(groupUniqArray(code)) AS currencies FROM (${parts.join(' UNION ALL ')}) GROUP BY id ORDER BY id`,
  );
  return new Map(rows.map(({ id, currencies }) => [id, currencies]));
}

/** Returns the sponsors whose account has no part in their currency, but in another, one message for each. */
export function otherCurrencies(
  accounts: ReadonlyMap<string, readonly string[]>,
  sponsors: readonly Payer[],
): string[] {
  return sponsors.flatMap(({ id, currency }) => {
    const booked = accounts.get(id);
    return booked === undefined || booked.includes(currency) ? [] : [otherCurrencyText({ id, currency }, booked)];
  });
}

/** Rejects with a ConfigError where the sponsor's account has another currency than this one, or several. */
export async function requireAccountCurrency(store: Store, { id, currency }: Payer): Promise<void> {
  const booked = (await readAccountCurrencies(store, id)).get(id) ?? [];
  if (booked.some((other) => other !== currency)) throw new ConfigError(otherCurrencyText({ id, currency }, booked));
}

function otherCurrencyText({ id, currency }: Payer, booked: readonly string[]): string {
  const those = booked.join(', ');
  return (
    `sponsor ${id} has ${currency} in the catalogue, and its account is in ${those}: an account keeps its currency, so keep ${those}, ` +
    `or give the sponsor in ${currency} another id`
  );
}
