import type { Command } from 'commander';
import { newProgram } from './new-program.ts';

type Register = (program: Command) => void;
type Load = () => Promise<Register>;

/**
 * Every command by its name, grouped by its reader, in the order of the help. Each loads only what it needs: all together
 * take over a second.
 */
const GROUPS: Readonly<Record<string, Readonly<Record<string, Load>>>> = {
  'Rate flow records:': {
    run: async () => (await import('./run.ts')).registerRun,
    check: async () => (await import('./check.ts')).registerCheck,
    rejections: async () => (await import('./rejections.ts')).registerRejections,
  },
  'Inspect the journal:': {
    query: async () => (await import('./query.ts')).registerQuery,
    explain: async () => (await import('./explain.ts')).registerExplain,
    serve: async () => (await import('./serve.ts')).registerServe,
    subscriber: async () => (await import('./subscriber.ts')).registerSubscriber,
  },
  'Finance:': {
    account: async () => (await import('./account.ts')).registerAccount,
    statement: async () => (await import('./statement.ts')).registerStatement,
    close: async () => (await import('./close.ts')).registerClose,
    verify: async () => (await import('./verify.ts')).registerVerify,
    prove: async () => (await import('./prove.ts')).registerProve,
    'signing-key': async () => (await import('./signing-key.ts')).registerSigningKey,
    rerate: async () => (await import('./rerate.ts')).registerRerate,
    simulate: async () => (await import('./simulate.ts')).registerSimulate,
  },
  'Revenue assurance:': {
    audit: async () => (await import('./audit.ts')).registerAudit,
    replay: async () => (await import('./replay.ts')).registerReplay,
    gaps: async () => (await import('./gaps.ts')).registerGaps,
    fraud: async () => (await import('./fraud.ts')).registerFraud,
    reconcile: async () => (await import('./reconcile.ts')).registerReconcile,
  },
  'Sponsored sessions:': {
    dispatch: async () => (await import('./dispatch.ts')).registerDispatch,
    proxy: async () => (await import('./proxy.ts')).registerProxy,
    gateway: async () => (await import('./gateway.ts')).registerGateway,
    terminal: async () => (await import('./terminal.ts')).registerTerminal,
  },
  'Development:': {
    dev: async () => (await import('./dev.ts')).registerDev,
    demo: async () => (await import('./demo.ts')).registerDemo,
    generate: async () => (await import('./generate.ts')).registerGenerate,
    'message-host': async () => (await import('./message-host.ts')).registerMessageHost,
    assertion: async () => (await import('./assertion.ts')).registerAssertion,
    'json-schemas': async () => (await import('./write-json-schemas.ts')).registerJsonSchemas,
    completion: async () => (await import('./completion.ts')).registerCompletion,
  },
};
/** Needs the whole program, whose words it completes. */
const WHOLE = 'completion';

/** Returns the program with the named command alone, or with all of them where the name is none of theirs. */
export async function loadProgram(name?: string): Promise<Command> {
  const all = Object.entries(GROUPS).flatMap(([group, commands]) =>
    Object.entries(commands).map(([command, load]) => ({ group, command, load })),
  );
  const named = name === WHOLE ? [] : all.filter(({ command }) => command === name);
  const program = newProgram();
  for (const { group, load } of named.length > 0 ? named : all) {
    program.commandsGroup(group);
    (await load())(program);
  }
  return program;
}
