import type { Command } from 'commander';
import { registerAccount } from './account.ts';
import { registerAssertion } from './assertion.ts';
import { registerAudit } from './audit.ts';
import { registerCheck } from './check.ts';
import { registerClose } from './close.ts';
import { registerDemo } from './demo.ts';
import { registerDispatch } from './dispatch.ts';
import { registerExplain } from './explain.ts';
import { registerFraud } from './fraud.ts';
import { registerGaps } from './gaps.ts';
import { registerGateway } from './gateway.ts';
import { registerGenerate } from './generate.ts';
import { newProgram } from './new-program.ts';
import { registerProve } from './prove.ts';
import { registerProxy } from './proxy.ts';
import { registerQuery } from './query.ts';
import { registerReconcile } from './reconcile.ts';
import { registerRejections } from './rejections.ts';
import { registerReplay } from './replay.ts';
import { registerRerate } from './rerate.ts';
import { registerRun } from './run.ts';
import { registerServe } from './serve.ts';
import { registerSigningKey } from './signing-key.ts';
import { registerSimulate } from './simulate.ts';
import { registerStatement } from './statement.ts';
import { registerSubscriber } from './subscriber.ts';
import { registerTerminal } from './terminal.ts';
import { registerVerify } from './verify.ts';
import { registerJsonSchemas } from './write-json-schemas.ts';

export function createProgram(): Command {
  const program = newProgram();
  for (const register of COMMANDS) register(program);
  return program;
}

const COMMANDS = [
  registerRun,
  registerCheck,
  registerQuery,
  registerExplain,
  registerAudit,
  registerReplay,
  registerGaps,
  registerFraud,
  registerRerate,
  registerSimulate,
  registerRejections,
  registerAccount,
  registerStatement,
  registerClose,
  registerVerify,
  registerProve,
  registerSigningKey,
  registerServe,
  registerGateway,
  registerTerminal,
  registerDispatch,
  registerAssertion,
  registerProxy,
  registerReconcile,
  registerGenerate,
  registerSubscriber,
  registerJsonSchemas,
  registerDemo,
];
