import type { Store } from '../../platform/clickhouse/store.ts';
import { systemClock } from '../../platform/clock.ts';
import type { Rules } from '../../rating/rules.ts';
import { bookCorrection, type CorrectionResult } from './book-correction.ts';
import type { BookedSource } from './booked-source.ts';
import type { CorrectionRequest } from './corrections.ts';
import { AUTUMN } from './missed-traffic.fixture.ts';

let names = 0;

/** Books a correction of all of acme's autumn, under a name of its own. `source` null: from the rows of charges alone. */
export function testCorrection(
  store: Store,
  rules: Rules,
  { source, ...overrides }: Partial<CorrectionRequest> & { source: BookedSource | null },
): Promise<CorrectionResult> {
  const common = { name: `correction ${++names}`, who: 'ada', why: 'a test', sponsorId: 'acme', range: AUTUMN };
  const options = source === null ? {} : { openSource: async () => source };
  return bookCorrection(store, rules, { ...common, ...overrides }, systemClock, options);
}
