import { suggestion } from '../../formats/nearest-word.ts';
import { type HoursDocument, type WeekSpan, weekSpans } from './catalogue-conditions.ts';
import type { CatalogueDocument, CatalogueFault } from './catalogue-document.ts';

const WEEK_MINUTES = 7 * 24 * 60;

/** Conditions that name what the catalogue does not have, spans of hours that overlap, and locations given twice. */
export function conditionFaults({ plans, network, locations = [] }: CatalogueDocument): CatalogueFault[] {
  const known = new Set(locations.map(({ id }) => id));
  const ofPlans = plans.flatMap(({ conditions }, plan): CatalogueFault[] => {
    if (conditions === undefined) return [];
    const path = ['plans', plan, 'conditions'];
    const faults = overlappingHours(conditions.hours ?? []).map(({ at, message }) => ({
      path: [...path, 'hours', at],
      message,
    }));
    if (conditions.roaming !== undefined && network === undefined) {
      const message = 'roaming needs the home PLMNs: add `network: { homePlmns: [...] }` to the catalogue';
      faults.push({ path: [...path, 'roaming'], message });
    }
    for (const [at, id] of (conditions.locations ?? []).entries()) {
      if (known.has(id)) continue;
      const message = `no location has the id ${JSON.stringify(id)}${suggestion(id, known)}`;
      faults.push({ path: [...path, 'locations', at], message });
    }
    return faults;
  });
  const twice = locations.flatMap(({ id }, at) => {
    const before = locations.findIndex((location) => location.id === id);
    if (before === at) return [];
    return [{ path: ['locations', at, 'id'], message: `location ${id} is already in locations[${before}]` }];
  });
  return [...ofPlans, ...twice];
}

/** Names, for each entry of a plan's hours, an earlier one that it overlaps. */
function overlappingHours(hours: readonly HoursDocument[]): { at: number; message: string }[] {
  const spans = hours.map(weekSpans);
  return spans.flatMap((own, at) => {
    const before = spans.findIndex(
      (others, i) => i < at && own.some((span) => others.some((other) => meet(span, other))),
    );
    // One entry overlaps itself only where it lasts for more than a day, which none can.
    return before === -1 ? [] : [{ at, message: `overlaps hours[${before}]: write spans that follow each other` }];
  });
}

/** Whether two spans of a week have a minute in common; each may end in the week after. */
function meet(a: WeekSpan, b: WeekSpan): boolean {
  return [-WEEK_MINUTES, 0, WEEK_MINUTES].some(
    (shift) => a.fromMinute < b.toMinute + shift && b.fromMinute + shift < a.toMinute,
  );
}
