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
    run: async () => (await import('./rate/run.ts')).registerRun,
    check: async () => (await import('./rate/check.ts')).registerCheck,
    evidence: async () => (await import('./evidence/evidence.ts')).registerEvidence,
    catalogue: async () => (await import('./rate/catalogue.ts')).registerCatalogue,
    rejections: async () => (await import('./assurance/rejections.ts')).registerRejections,
  },
  'Inspect the journal:': {
    query: async () => (await import('./inspect/query.ts')).registerQuery,
    explain: async () => (await import('./inspect/explain.ts')).registerExplain,
    serve: async () => (await import('./finance/serve.ts')).registerServe,
    subscriber: async () => (await import('./assurance/subscriber.ts')).registerSubscriber,
  },
  'Finance:': {
    account: async () => (await import('./finance/account.ts')).registerAccount,
    campaign: async () => (await import('./finance/campaign.ts')).registerCampaign,
    statement: async () => (await import('./finance/statement.ts')).registerStatement,
    close: async () => (await import('./finance/close.ts')).registerClose,
    verify: async () => (await import('./finance/verify.ts')).registerVerify,
    prove: async () => (await import('./finance/prove.ts')).registerProve,
    'signing-key': async () => (await import('./finance/signing-key.ts')).registerSigningKey,
    rerate: async () => (await import('./finance/rerate.ts')).registerRerate,
    simulate: async () => (await import('./finance/simulate.ts')).registerSimulate,
  },
  'Revenue assurance:': {
    audit: async () => (await import('./assurance/audit.ts')).registerAudit,
    replay: async () => (await import('./assurance/replay.ts')).registerReplay,
    gaps: async () => (await import('./inspect/gaps.ts')).registerGaps,
    fraud: async () => (await import('./assurance/fraud.ts')).registerFraud,
    reconcile: async () => (await import('./assurance/reconcile.ts')).registerReconcile,
  },
  'Sponsored sessions:': {
    dispatch: async () => (await import('./sessions/dispatch.ts')).registerDispatch,
    proxy: async () => (await import('./sessions/proxy.ts')).registerProxy,
    gateway: async () => (await import('./sessions/gateway.ts')).registerGateway,
    terminal: async () => (await import('./sessions/terminal.ts')).registerTerminal,
  },
  'Development:': {
    dev: async () => (await import('./development/dev.ts')).registerDev,
    demo: async () => (await import('./rate/demo.ts')).registerDemo,
    generate: async () => (await import('./rate/generate.ts')).registerGenerate,
    'message-host': async () => (await import('./development/message-host.ts')).registerMessageHost,
    assertion: async () => (await import('./sessions/assertion.ts')).registerAssertion,
    'json-schemas': async () => (await import('./development/write-json-schemas.ts')).registerJsonSchemas,
    completion: async () => (await import('./completion.ts')).registerCompletion,
  },
};
/** Needs the whole program, whose words it completes. */
const WHOLE = 'completion';
/** Need no command at all. */
const VERSION = ['--version', '-V'];

/** Returns the program with the named command alone, or with all of them where the name is none of theirs. */
export async function loadProgram(name?: string): Promise<Command> {
  const all = Object.entries(GROUPS).flatMap(([group, commands]) =>
    Object.entries(commands).map(([command, load]) => ({ group, command, load })),
  );
  if (name !== undefined && VERSION.includes(name)) return newProgram();
  const named = name === WHOLE ? [] : all.filter(({ command }) => command === name);
  const program = newProgram();
  for (const { group, load } of named.length > 0 ? named : all) {
    program.commandsGroup(group);
    (await load())(program);
  }
  return program;
}
