import { runEngineThread } from './run-engine-thread.ts';

await runEngineThread();
