import { writeFileSync } from 'node:fs';

/** Of `fs/promises`, what changes files. */
const FUNCTIONS = ['open', 'rename', 'rm', 'mkdir'];
/** Of an open file. */
const METHODS = ['writeFile', 'truncate', 'chmod', 'sync', 'close'];

/**
 * Writes a module for `node --import`. A process that has it dies, as by a power cut, at the step of `fs/promises` on files of the
 * folder that KILL_AT_STEP counts to, from 0; a write is two steps, of which the second one leaves half of it.
 */
export function writeKillModule(path: string, folder: string): void {
  writeFileSync(
    path,
    `import fs from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';

let left = Number(process.env.KILL_AT_STEP);
const isDue = () => left-- === 0;
function die() {
  process.kill(process.pid, 'SIGKILL');
  for (;;);
}
const handle = await fs.open(${JSON.stringify(path)});
const prototype = Object.getPrototypeOf(handle);
await handle.close();
const own = new WeakSet();
for (const name of ${JSON.stringify(METHODS)}) {
  const method = prototype[name];
  prototype[name] = async function (...args) {
    if (!own.has(this)) return method.apply(this, args);
    if (isDue()) die();
    if (name === 'writeFile' && isDue()) {
      await method.call(this, args[0].slice(0, args[0].length / 2));
      die();
    }
    return method.apply(this, args);
  };
}
for (const name of ${JSON.stringify(FUNCTIONS)}) {
  const call = fs[name];
  fs[name] = async (path, ...args) => {
    const isOwn = String(path).startsWith(${JSON.stringify(folder)});
    if (isOwn && isDue()) die();
    const result = await call(path, ...args);
    if (isOwn && name === 'open') own.add(result);
    return result;
  };
}
syncBuiltinESMExports();
`,
  );
}
