import { reportFailure } from './cli/failure.ts';
import { loadProgram } from './cli/load-program.ts';

try {
  const program = await loadProgram(process.argv[2]);
  await program.parseAsync();
} catch (error) {
  process.exitCode = reportFailure(error);
}
