import type { Catalogue } from '../../rating/catalogue.ts';
import { receivablesOf } from '../accounts/receivables.ts';
import { monthBefore, monthName } from '../month.ts';
import { shownCount } from '../shown-money.ts';
import { type Forecast, forecastOf, forecastTerms } from '../statements/forecast.ts';
import { type HtmlText, html } from '../statements/html-text.ts';
import { agreedIn } from '../statements/monthly-terms.ts';
import { sumOf } from '../statements/statement-arithmetic.ts';
import type { Account, ClosingRow, PageData } from './page-data.ts';
import { amount, type Card, cards, change, meter, nothing, roundedMoney, section, table } from './page-parts.ts';

/** Returns the account figures: amount due, balance, headroom, months compared, forecast, and receivables by age. */
export async function accountSections(
  data: PageData,
  account: Account,
  catalogue: Catalogue | null,
  newestMonth: string | null,
  nowMs: number,
): Promise<HtmlText> {
  const { sponsorId, currency } = account;
  const closings = await data.closings(sponsorId);
  const receivables = receivablesOf(account, closings.map(billOf), nowMs);
  const limit = catalogue?.sponsors.find(({ id }) => id === sponsorId)?.creditLimitMicros;
  const { dueMicros, unbilledMicros, byAge } = receivables;
  const first: Card[] = [
    {
      name: 'Amount due',
      value: amount(dueMicros, currency),
      note: closings.length === 0 ? 'no month is closed yet' : 'of closed months, unpaid',
      isOwed: dueMicros > 0n,
    },
    { name: 'Not billed yet', value: amount(unbilledMicros, currency), note: 'charged since, unpaid' },
    balanceCard(account),
    ...(limit === undefined ? [] : [headroomCard(account, BigInt(limit))]),
    ...(newestMonth === null ? [] : await monthCards(data, account, { month: newestMonth, catalogue, nowMs })),
  ];
  const ages = table(`Receivables by age, in ${currency}`, byAge, [
    { title: 'Since the month was closed', kind: 'head', cell: ({ name }) => name },
    { title: `Unpaid, ${currency}`, kind: 'number', cell: ({ micros }) => roundedMoney(micros, currency) },
    { title: 'Share', kind: 'number', cell: ({ micros }) => meter(micros, dueMicros) },
  ]);
  return html`${section('At a glance', cards(first))}
${section(
  'Receivables by age',
  closings.length === 0 ? nothing('Receivables are of closed months, and none is closed yet.') : ages,
  closings.length === 0 ? '' : 'Credits pay the oldest month first.',
)}`;
}

function billOf({ name, day, billedMicros }: ClosingRow) {
  return { month: name, closedOn: day, amountMicros: billedMicros };
}

function balanceCard({ balanceMicros, currency, isSuspended }: Account): Card {
  const badge =
    isSuspended === 1
      ? html`<span class="badge bad">suspended</span>`
      : html`<span class="badge good">sponsoring</span>`;
  return {
    name: html`Balance${badge}`,
    value: amount(balanceMicros, currency),
    note: balanceMicros < 0n ? 'owed' : 'in credit',
    isOwed: balanceMicros < 0n,
  };
}

/** Returns the headroom: a sponsor is suspended when its balance is below minus its limit. */
function headroomCard({ balanceMicros, currency }: Account, limitMicros: bigint): Card {
  const headroom = limitMicros + balanceMicros;
  const used = balanceMicros < 0n ? -balanceMicros : 0n;
  return {
    name: 'Headroom to the credit limit',
    value: amount(headroom, currency),
    note: html`${meter(used, limitMicros)} of ${roundedMoney(limitMicros, currency)} used`,
    isOwed: headroom < 0n,
  };
}

/** Compares the newest month with the one before; of an open month, up to the same day. */
async function monthCards(
  data: PageData,
  { sponsorId, currency }: Account,
  { month, catalogue, nowMs }: { month: string; catalogue: Catalogue | null; nowMs: number },
): Promise<Card[]> {
  const before = monthBefore(month);
  const [byDay, byDayBefore] = [await data.usageByDay(month, sponsorId), await data.usageByDay(before, sponsorId)];
  const today = new Date(nowMs).toISOString().slice(0, 10);
  const forecast = forecastOf(byDay, month, today);
  const agreed = agreedIn(catalogue?.monthlyTerms ?? [], sponsorId, month);
  const byApplication = agreed.length === 0 ? [] : await data.usageBy('application_id', sponsorId, month);
  const newestDay = byDay.filter(({ day }) => day.startsWith(month)).at(-1)?.day;
  const isOver = today.slice(0, 7) > month || newestDay === undefined;
  const lastDay = isOver ? null : `${before}${newestDay.slice(7)}`;
  const now = sumOf(byDay, ({ chargeMicros }) => chargeMicros);
  const then = sumOf(
    byDayBefore.filter(({ day }) => lastDay === null || day <= lastDay),
    ({ chargeMicros }) => chargeMicros,
  );
  const against = lastDay === null ? monthName(before) : `${monthName(before)} up to ${lastDay}`;
  return [
    {
      name: isOver ? `Charges of ${monthName(month)}` : `${monthName(month)} so far`,
      value: amount(now, currency),
      note: then <= 0n ? `nothing charged for ${against}` : html`${change(now, then)} against ${against}`,
    },
    ...(forecast === null
      ? []
      : [forecastCard(forecast, { month, currency, termsMicros: forecastTerms(agreed, forecast, byApplication) })]),
  ];
}

function forecastCard(
  { wholeMicros, completeDays }: Forecast,
  { month, currency, termsMicros }: { month: string; currency: string; termsMicros: bigint },
): Card {
  const mean = `by the mean of ${shownCount(completeDays, 'complete day')} of use`;
  return {
    name: `Forecast for ${monthName(month)}`,
    value: amount(wholeMicros + termsMicros, currency),
    note:
      termsMicros === 0n
        ? mean
        : html`${mean}, with ${roundedMoney(termsMicros, currency)} of fees and shortfalls less rebates`,
  };
}
