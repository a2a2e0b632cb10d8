import { PassThrough } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { newProgram } from '../new-program.ts';
import { formatStatistics, registerTerminal } from './terminal.ts';
import { TerminalInput } from './terminal-input.ts';

function typing() {
  const stdin = new PassThrough();
  const printed: string[] = [];
  const input = new TerminalInput(stdin, (text) => printed.push(text));
  const commands: string[] = [];
  const done = (async () => {
    for await (const command of input.commands()) commands.push(command);
  })();
  return { stdin, input, printed, commands, done };
}

test('lines are commands, in their order, until the input ends', async () => {
  const { stdin, commands, done } = typing();
  stdin.end('text bob hello\n\n  quota  \nquit');
  await done;
  expect(commands).toEqual(['text bob hello', 'quota', 'quit']);
});

test.each([
  ['', true, []],
  ['y', true, []],
  ['n', false, []],
  ['No', false, []],
  ['text bob I am here', true, ['text bob I am here']],
])('an idle prompt is a question to the person: %j', async (line, isStillHere, carriedOut) => {
  const { stdin, input, printed, commands } = typing();
  const answer = input.askStillHere(30_000);
  expect(printed).toEqual(['Are you still there? The session ends in 30 s. Enter keeps it, n lets it end:']);
  stdin.write(`${line}\n`);
  expect(await answer).toBe(isStillHere);
  await pause(5);
  expect(commands).toEqual(carriedOut);
});

test('no answer in time is a no, and so is the end of the input; a line afterwards is a command', async () => {
  const { stdin, input, commands, done } = typing();
  expect(await input.askStillHere(20)).toBe(false);
  stdin.write('no\n');
  await pause(5);
  expect(commands).toEqual(['no']);
  const asked = input.askStillHere(30_000);
  stdin.end();
  expect(await asked).toBe(false);
  await done;
  expect(await input.askStillHere(30_000)).toBe(false);
});

test('statistics are a table by period, application, content and payer', () => {
  const row = {
    periodStartMs: Date.UTC(2026, 10, 1),
    periodEndMs: Date.UTC(2026, 11, 1),
    applicationId: 'pigeon',
    contentType: 'image' as const,
    sponsoredOctets: 1_048_576,
    subscriberOctets: 12,
  };
  expect(formatStatistics([row]).split('\n').at(-1)).toBe(
    '2026-11-01T00:00 to 2026-12-01T00:00  pigeon       image           1 048 576                   12',
  );
  expect(formatStatistics([])).toBe('no octets yet');
});

test.each([
  ['--period', 'fortnight'],
  ['--period', '0h'],
  ['--time-zone', 'Mars/Olympus'],
  ['--idle-answer', 'maybe'],
])('%s %s is refused', async (flag, value) => {
  const program = newProgram();
  registerTerminal(program);
  const terminal = program.commands[0].exitOverride().configureOutput({ writeErr: () => {} });
  await expect(terminal.parseAsync([flag, value], { from: 'user' })).rejects.toThrow(/error: option/);
});
