import { testRecord } from '../../rating/traffic.fixture.ts';
import { type SecondPlan, type SecondRules, secondPlanFor } from './second-rules.ts';

/** Returns the plan of a record that begins and ends at an instant. */
export function planAt(rules: SecondRules, applicationId: string, timeMs: number): SecondPlan | undefined {
  const found = secondPlanFor(rules, applicationId, testRecord({ startTime: timeMs, endTime: timeMs }), () => null);
  return 'reason' in found ? undefined : found.plan;
}
