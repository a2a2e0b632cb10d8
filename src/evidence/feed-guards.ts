import { ADDRESS_FAMILIES, lengthOf } from './address-spans.ts';
import { type ClaimConflict, conflictsEndMs, conflictText, named } from './claim-conflicts.ts';
import type { Feed } from './evidence-config-schema.ts';
import type { ListDifference } from './list-difference.ts';
import { timeText } from './part-text.ts';

/** Why a list is refused that is well-formed. */
export const GUARDS = [
  'list_size',
  'list_age',
  'broad_prefix',
  'overlap',
  'shared_prefix',
  'prefix_growth',
  'prefix_shrinkage',
  'address_growth',
  'address_shrinkage',
] as const;
type Guard = (typeof GUARDS)[number];

export interface GuardRefusal {
  guard: Guard;
  /** What exceeds which limit, and what to do. */
  message: string;
}

export interface GuardedList {
  prefixes: readonly string[];
  createdAtMs: number | null;
  /** Against what is in force; null where nothing was yet, which growth has no measure for. */
  difference: ListDifference | null;
  /** When the list in force was made; null where that is not known. */
  createdBeforeMs: number | null;
  /** With what is claimed beside the list, from `fromMs` on; from now on where that is null. */
  conflicts: readonly ClaimConflict[];
  /** From when on the list is to be in force; null: not decided, so that it may be when every claim with an end has ended. */
  fromMs: number | null;
  nowMs: number;
}

const DAY_MS = 24 * 60 * 60 * 1000;
/** Clocks may differ by so much. */
const MAX_AHEAD_MS = DAY_MS;

/** Returns each limit of the feed that a list exceeds. */
export function checkGuards({ id, guards }: Pick<Feed, 'id' | 'guards'>, list: GuardedList): GuardRefusal[] {
  return [
    ...ageRefusals('maxAgeDays' in guards ? guards.maxAgeDays : null, list),
    ...broadRefusals(guards, list),
    ...conflictRefusals(list),
    ...(list.difference === null ? [] : changeRefusals(id, guards, list.difference)),
  ];
}

function ageRefusals(
  maxAgeDays: number | null,
  { createdAtMs, createdBeforeMs, nowMs }: Pick<GuardedList, 'createdAtMs' | 'createdBeforeMs' | 'nowMs'>,
): GuardRefusal[] {
  if (createdAtMs === null) return [];
  const refusal = (message: string): GuardRefusal => ({ guard: 'list_age', message });
  const made = `the list was made at ${new Date(createdAtMs).toISOString()}`;
  const refusals: GuardRefusal[] = [];
  if (maxAgeDays !== null && nowMs - createdAtMs > maxAgeDays * DAY_MS) {
    refusals.push(
      refusal(`${made}, more than ${maxAgeDays} days ago (guards.maxAgeDays): see whether it is still published`),
    );
  }
  if (createdAtMs - nowMs > MAX_AHEAD_MS) {
    refusals.push(refusal(`${made}, more than a day from now: see that the clock of this machine is right`));
  }
  if (createdBeforeMs !== null && createdAtMs < createdBeforeMs) {
    const before = new Date(createdBeforeMs).toISOString();
    refusals.push(
      refusal(`${made}, before the list in force (${before}): the source returns an older one; fetch again`),
    );
  }
  return refusals;
}

function broadRefusals(
  { shortestIpv4Prefix, shortestIpv6Prefix }: Feed['guards'],
  { prefixes }: Pick<GuardedList, 'prefixes'>,
): GuardRefusal[] {
  const shortest = { IPv4: shortestIpv4Prefix, IPv6: shortestIpv6Prefix };
  return ADDRESS_FAMILIES.flatMap((of): GuardRefusal[] => {
    const broad = prefixes.filter((prefix) => {
      const { family, length } = lengthOf(prefix);
      return family === of && length < shortest[of];
    });
    if (broad.length === 0) return [];
    const limit = `/${shortest[of]} (guards.shortest${of === 'IPv4' ? 'Ipv4' : 'Ipv6'}Prefix)`;
    return [{ guard: 'broad_prefix', message: `${named(broad)}: broader than ${limit}: check the list` }];
  });
}

function conflictRefusals({ conflicts, fromMs }: Pick<GuardedList, 'conflicts' | 'fromMs'>): GuardRefusal[] {
  const remedies = {
    overlap: "share addresses: narrow the feed's filter, or end the other prefix",
    shared_prefix:
      'are one network of one application: leave it out of one list by a filter, or let one feed fetch both lists',
  };
  return (['overlap', 'shared_prefix'] as const).flatMap((guard) => {
    const all = conflicts.filter((conflict) => conflict.guard === guard);
    const lasting = all.filter(({ claimed }) => claimed.toMs === Number.POSITIVE_INFINITY);
    if (lasting.length > 0) return [{ guard, message: `${conflictText(lasting)} ${remedies[guard]}` }];
    const endMs = conflictsEndMs(all);
    if (endMs === null || fromMs === null) return [];
    const message = `${conflictText(all)} share addresses: approve with --from ${timeText(endMs)} or a later time`;
    return [{ guard, message }];
  });
}

function changeRefusals(id: string, guards: Feed['guards'], { before, after }: ListDifference): GuardRefusal[] {
  const counts: { unit: 'prefix' | 'address'; what: string; before: bigint; after: bigint }[] = [
    { unit: 'prefix', what: 'prefixes', before: BigInt(before.prefixes), after: BigInt(after.prefixes) },
    ...ADDRESS_FAMILIES.map((family) => ({
      unit: 'address' as const,
      what: `${family} addresses`,
      before: before[family].addresses,
      after: after[family].addresses,
    })),
  ];
  return counts.flatMap(({ unit, what, before: had, after: has }): GuardRefusal[] => {
    const isGrowth = has > had;
    const field = `${unit}${isGrowth ? 'Growth' : 'Shrink'}Percent` as const;
    const limit = guards[field];
    const change = isGrowth ? has - had : had - has;
    if (limit === null || change * 100n <= had * BigInt(limit)) return [];
    const guard = `${unit}_${isGrowth ? 'growth' : 'shrinkage'}` as const;
    const advice = `check the list; if it is right, raise guards.${field} of feed ${id} and fetch again`;
    return [{ guard, message: `${what}: ${had} before, ${has} after, a change of more than ${limit} %: ${advice}` }];
  });
}
