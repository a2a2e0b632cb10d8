import type { Command } from 'commander';
import { newProgram } from './new-program.ts';

type Register = (program: Command) => void;

/** Every command by its name, in the order of the help. Each loads only what it needs: all together take over a second. */
const COMMANDS: Readonly<Record<string, () => Promise<Register>>> = {
  run: async () => (await import('./run.ts')).registerRun,
  check: async () => (await import('./check.ts')).registerCheck,
  query: async () => (await import('./query.ts')).registerQuery,
  explain: async () => (await import('./explain.ts')).registerExplain,
  audit: async () => (await import('./audit.ts')).registerAudit,
  replay: async () => (await import('./replay.ts')).registerReplay,
  gaps: async () => (await import('./gaps.ts')).registerGaps,
  fraud: async () => (await import('./fraud.ts')).registerFraud,
  rerate: async () => (await import('./rerate.ts')).registerRerate,
  simulate: async () => (await import('./simulate.ts')).registerSimulate,
  rejections: async () => (await import('./rejections.ts')).registerRejections,
  account: async () => (await import('./account.ts')).registerAccount,
  statement: async () => (await import('./statement.ts')).registerStatement,
  close: async () => (await import('./close.ts')).registerClose,
  verify: async () => (await import('./verify.ts')).registerVerify,
  prove: async () => (await import('./prove.ts')).registerProve,
  'signing-key': async () => (await import('./signing-key.ts')).registerSigningKey,
  serve: async () => (await import('./serve.ts')).registerServe,
  gateway: async () => (await import('./gateway.ts')).registerGateway,
  terminal: async () => (await import('./terminal.ts')).registerTerminal,
  dispatch: async () => (await import('./dispatch.ts')).registerDispatch,
  assertion: async () => (await import('./assertion.ts')).registerAssertion,
  proxy: async () => (await import('./proxy.ts')).registerProxy,
  reconcile: async () => (await import('./reconcile.ts')).registerReconcile,
  generate: async () => (await import('./generate.ts')).registerGenerate,
  subscriber: async () => (await import('./subscriber.ts')).registerSubscriber,
  'json-schemas': async () => (await import('./write-json-schemas.ts')).registerJsonSchemas,
  dev: async () => (await import('./dev.ts')).registerDev,
  demo: async () => (await import('./demo.ts')).registerDemo,
};

/** The program with the named command alone, or with all of them where the name is none of theirs. */
export async function loadProgram(name?: string): Promise<Command> {
  const named = name === undefined || !Object.hasOwn(COMMANDS, name) ? undefined : COMMANDS[name];
  const program = newProgram();
  const loaded = await Promise.all((named === undefined ? Object.values(COMMANDS) : [named]).map((load) => load()));
  for (const register of loaded) register(program);
  return program;
}
