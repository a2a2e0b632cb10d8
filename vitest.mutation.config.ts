import { defineConfig } from 'vitest/config';

/** What `npm run mutation` runs on each change that it makes: the unit tests of the core, the journal and finance. */
export default defineConfig({
  test: { include: ['src/{rating,journal,finance}/**/*.test.ts'], exclude: ['**/*.integration.test.ts'] },
});
