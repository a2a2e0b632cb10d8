import { Command, InvalidArgumentError } from 'commander';
import { reportFailure } from '../../src/cli/failure.ts';
import { runLoop } from './loop.ts';

function wholeNumber(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('expected a whole number');
  return Number(text);
}

const program = new Command('loop')
  .description('runs the whole loop, terminals to engine and back, until quotas run out, and holds all counts together')
  .option('--terminals <count>', 'how many; 200, with --short 20', wholeNumber)
  .option('--seed <number>', 'what the traffic is drawn from; a new one each time', wholeNumber)
  .option('--short', 'fewer terminals')
  .option('--keep', 'leaves logs and data behind')
  .addHelpText(
    'after',
    '\nExit codes: 0 all counts agree within the bounds that docs/internals/loop-tests.md states, 1 they do not, 2 it could not run.',
  )
  .action(async (options: { terminals?: number; seed?: number; short?: boolean; keep?: boolean }) => {
    const found = await runLoop(options);
    for (const text of found) process.stdout.write(`DIFFERS  ${text}\n`);
    if (found.length === 0) process.stdout.write('Every octet is accounted for.\n');
    process.exitCode = found.length === 0 ? 0 : 1;
  });

try {
  await program.parseAsync();
} catch (error) {
  reportFailure(error);
  process.exitCode = 2;
}
