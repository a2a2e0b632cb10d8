import { expect, test } from 'vitest';
import { printable } from './printable.ts';

test.each([
  ['\u001b[2J\u001b]0;owned\u0007', '\\u{1b}[2J\\u{1b}]0;owned\\u{7}'],
  ['hi\r\nbob: pay me', 'hi\\u{d}\\u{a}bob: pay me'],
  ['\u009b31m', '\\u{9b}31m'],
  ['\u202egpj.exe', '\\u{202e}gpj.exe'],
  ['one\u2028two', 'one\\u{2028}two'],
  ['\ud800', '\\u{d800}'],
  ['grüße 🙂 👨\u200d👩', 'grüße 🙂 👨\u200d👩'],
])('%j is shown as %j', (text, shown) => {
  expect(printable(text)).toBe(shown);
});
