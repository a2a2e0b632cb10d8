import { Command, InvalidArgumentError } from 'commander';
import { reportFailure } from '../../src/cli/failure.ts';
import { runHostile } from './hostile-run.ts';

function number(text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value <= 0) throw new InvalidArgumentError('expected a number above 0');
  return value;
}

const program = new Command('hostile')
  .description(
    'sends hostile traffic to a dispatch server and a proxy on loopback, while one terminal uses them as it is meant',
  )
  .option('--minutes <count>', 'how long', number, 60)
  .option('--seed <number>', 'what the traffic is drawn from; a new one each time', number)
  .addHelpText(
    'after',
    '\nExit codes: 0 memory is bounded and every octet is accounted for, 1 it is not, 2 it could not run.',
  )
  .action(async (options: { minutes: number; seed?: number }) => {
    const faults = await runHostile(options);
    for (const fault of faults) process.stdout.write(`FAULT  ${fault}\n`);
    if (faults.length === 0) process.stdout.write('Memory is bounded, and every octet is accounted for.\n');
    process.exitCode = faults.length === 0 ? 0 : 1;
  });

try {
  await program.parseAsync();
} catch (error) {
  reportFailure(error);
  process.exitCode = 2;
}
