import { expect, test } from 'vitest';
import type { Admitted } from './admission.ts';
import { ConnectionMark } from './connection-mark.ts';
import type { FlowMarks, MarkOutcome } from './flow-marks.ts';

/** A connection at its sponsor's cost, and the gateway's answer to come. */
function marked() {
  const flow = { destroyed: false };
  let answer: (outcome: MarkOutcome) => void = () => {};
  const answered = new Promise<MarkOutcome>((resolve) => {
    answer = resolve;
  });
  const admitted = {
    application: { zeroRatingTag: 'CHAT' },
    session: { isSponsored: () => true },
    contentType: 'text',
    payer: 'by_credit',
    type: 0,
  } as unknown as Admitted;
  const marks = { mark: () => answered } as unknown as FlowMarks;
  return { flow, answer, mark: new ConnectionMark(flow, admitted, marks, () => {}) };
}

test.each<[MarkOutcome, boolean, boolean]>([
  ['marked', false, true],
  // Its records have the tag, so its report has the octets.
  ['marked', true, true],
  // Its records have none, however little the proxy knows of the terminal's leaving.
  ['ended', false, false],
  ['ended', true, false],
  ['taken', false, true],
  ['taken', true, false],
  ['away', false, true],
  ['away', true, false],
])('%s, the terminal gone: %s: the connection is counted: %s', async (outcome, isGone, isCounted) => {
  const { flow, answer, mark } = marked();
  const beginning = mark.begin();
  const counted = mark.whetherBegun();
  flow.destroyed = isGone;
  answer(outcome);
  await beginning;
  expect([mark.hasBegun, await counted, mark.hasEnded]).toEqual([isCounted, isCounted, outcome === 'ended']);
});
