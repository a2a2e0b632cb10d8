import { Command } from 'commander';
import { endOnClosedPipe } from '../platform/lifecycle.ts';
import { ENGINE_VERSION } from '../platform/package-paths.ts';

/** The program without its commands. */
export function newProgram(): Command {
  endOnClosedPipe(process.stdout);
  return new Command('zerorate')
    .description(
      'A carrier’s zero-rating billing engine: flow records in, the sponsor’s account charged, remaining quota out.',
    )
    .version(ENGINE_VERSION)
    .showHelpAfterError('(--help shows what there is)')
    .configureHelp({ sortSubcommands: false })
    .exitOverride();
}
