import { reportFailure } from './commands/failure.ts';
import { loadProgram } from './commands/load-program.ts';

try {
  const program = await loadProgram(process.argv[2]);
  await program.parseAsync();
} catch (error) {
  process.exitCode = reportFailure(error);
}
