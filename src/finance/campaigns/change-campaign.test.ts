import { expect, test } from 'vitest';
import { textFault } from './change-campaign.ts';

test.each([
  [{ key: ' ' }, 'key: expected a text that is not empty'],
  [{ why: 'a\nb' }, 'why: expected one line of text'],
  [{ who: 'campaign watcher' }, 'who: "campaign watcher" is the engine\'s own; name a person'],
  [{ key: 'watch-launch-1' }, 'key: those that begin with "watch-" are booked automatically; take another'],
  [{ key: 'audience-1' }, 'key: those that begin with "audience-" are booked automatically; take another'],
])('a pause with %o is refused', (texts, fault) => {
  expect(textFault({ key: 'k', who: 'alice', why: 'w', ...texts })).toBe(fault);
});
