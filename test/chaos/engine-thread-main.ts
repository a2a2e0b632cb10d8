import { runEngineThread } from '../../src/engine/running/run-engine-thread.ts';
import { failpointOf } from './failpoints.ts';

// The thread of an engine with several: each of them has the failpoint.
await runEngineThread(failpointOf(process.env.CHAOS_FAILPOINT));
