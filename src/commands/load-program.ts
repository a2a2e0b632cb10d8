import type { Command } from 'commander';
import { newProgram } from './new-program.ts';

/** Commands that need neither store nor server: what those load takes a second and 150 MB. */
const LIGHT: Readonly<Record<string, () => Promise<(program: Command) => void>>> = {
  check: async () => (await import('./check.ts')).registerCheck,
  generate: async () => (await import('./generate.ts')).registerGenerate,
};

/** The program with all of its commands, or with the named one alone where that is enough. */
export async function loadProgram(name: string | undefined): Promise<Command> {
  const light = name === undefined || !Object.hasOwn(LIGHT, name) ? undefined : LIGHT[name];
  if (light === undefined) return (await import('./program.ts')).createProgram();
  const program = newProgram();
  (await light())(program);
  return program;
}
