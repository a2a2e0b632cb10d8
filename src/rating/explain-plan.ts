import type { Catalogue, Plan } from './catalogue.ts';
import type { FlowBatch, FlowRecord } from './flow-record.ts';
import { REASON_CODE, REASONS, type Reason } from './outcome.ts';
import { isInHours, octetsInHours } from './plan-hours.ts';

/** One step of a record's way, in words. */
export interface Explanation {
  step:
    | 'decode'
    | 'evidence'
    | 'application'
    | 'plan'
    | 'campaign'
    | 'closing'
    | 'content'
    | 'quota'
    | 'price'
    | 'outcome';
  text: string;
}

/** Says which plan the record is of and why, what part of it lies in the plan's hours, and why it is of no plan before that one. */
export function planSteps(
  batch: FlowBatch,
  record: FlowRecord,
  catalogue: Catalogue,
  campaignRefusal: (plan: number) => Reason | null,
): Explanation[] {
  const application = catalogue.applications[batch.application[0]];
  if (application === undefined) return [];
  const chosen = catalogue.plans[batch.plan[0]];
  if (chosen === undefined && batch.reason[0] !== REASON_CODE.conditions_not_met) return [];
  const before = application.plans
    .map((at) => ({ at, plan: catalogue.plans[at] }))
    .filter(({ plan }) => record.startTime >= plan.effectiveFromMs && record.startTime < plan.effectiveToMs)
    .filter(({ plan }) => chosen === undefined || plan.order < chosen.order)
    .sort((a, b) => a.plan.order - b.plan.order || 0);
  const passed = before
    .map(({ at, plan }) => ({ plan, why: [...unmet(plan, record), ...refusalInWords(campaignRefusal(at))] }))
    .filter(({ why }) => why.length > 0)
    .map(({ plan, why }): Explanation => ({ step: 'plan', text: `not ${plan.id}: ${why.join('; ')}` }));
  if (chosen === undefined) return passed;
  const { id, version, period, timeZone } = chosen;
  const text = [`${id} version ${version}: a ${period} in ${timeZone}`, ...hoursInWords(batch, chosen, record)].join(
    '; ',
  );
  return [...passed, { step: 'plan', text }];
}

function refusalInWords(reason: Reason | null): string[] {
  return reason === null ? [] : [`${reason} (${REASONS[REASON_CODE[reason]].meaning})`];
}

function hoursInWords(batch: FlowBatch, { hours }: Plan, { startTime, endTime }: FlowRecord): string[] {
  if (hours === null) return [];
  const octets = batch.octets(0);
  return [
    `${octetsInHours(hours, octets, startTime, endTime)} of ${octets} octets are within its hours, pro rata by time`,
  ];
}

/** Why a plan's conditions do not hold. */
function unmet({ hours, network }: Plan, record: FlowRecord): string[] {
  const { servingPlmn, ratType, trackingArea, startTime, endTime } = record;
  const why: string[] = [];
  if (hours !== null && !isInHours(hours, startTime, endTime)) why.push('nothing of the record is within its hours');
  if (network === null) return why;
  const { roaming, homePlmns, servingPlmns, ratTypes, trackingAreas } = network;
  const plmn = servingPlmn === null ? 'the record names no serving PLMN' : `the serving PLMN is ${servingPlmn}`;
  const isHome = servingPlmn !== null && homePlmns.includes(servingPlmn);
  if (roaming !== null && (servingPlmn === null || isHome !== (roaming === 'home'))) {
    why.push(`it asks for ${roaming}, and ${plmn}`);
  }
  if (servingPlmns !== null && (servingPlmn === null || !servingPlmns.includes(servingPlmn))) {
    why.push(`it asks for other serving PLMNs, and ${plmn}`);
  }
  if (ratTypes !== null && (ratType === null || !ratTypes.includes(ratType))) {
    why.push(
      `it asks for other radio access, and ${ratType === null ? 'the record names none' : `ratType is ${ratType}`}`,
    );
  }
  if (trackingAreas !== null && (trackingArea === null || !trackingAreas.includes(trackingArea))) {
    const where = trackingArea === null ? 'the record names no tracking area' : `the tracking area is ${trackingArea}`;
    why.push(`it asks for other locations, and ${where}`);
  }
  return why;
}
