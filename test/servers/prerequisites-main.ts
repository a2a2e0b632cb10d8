import { missingPrerequisites } from './prerequisites.ts';

const missing = missingPrerequisites();
if (missing !== null) {
  console.error(missing);
  process.exitCode = 1;
}
