import { Command, InvalidArgumentError, Option } from 'commander';
import { reportFailure } from '../../src/cli/failure.ts';
import { type ChaosOptions, runChaos } from './chaos.ts';
import { runWithOwnMounts } from './own-mounts.ts';

function wholeNumber(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value)) throw new InvalidArgumentError('expected a whole number');
  return value;
}

const program = new Command('chaos')
  .description('breaks a real broker, a real ClickHouse and real engines, and checks that the invariants hold')
  .option('--faults <count>', 'how many faults; 200, with --short 15, with --control 40', wholeNumber)
  .option('--seed <number>', 'seed of the faults; default: a new one each time', wholeNumber)
  .option('--short', 'only short faults, and fewer of them: for every change')
  .addOption(
    new Option('--control <guard>', 'removes one guard of the journal; succeeds when the invariants detect it').choices(
      ['guard', 'token'],
    ),
  )
  .option('--keep', 'keeps logs and data')
  .addHelpText(
    'after',
    '\nExit codes: 0 the invariants hold (with --control: they detected it), 1 they do not, 2 it could not run.',
  )
  .action(async (options: ChaosOptions) => {
    process.exitCode = (await runWithOwnMounts()) ?? (await runChaos(options));
  });

try {
  await program.parseAsync();
} catch (error) {
  reportFailure(error);
  process.exitCode = 2;
}
