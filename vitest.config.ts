import { defineConfig } from 'vitest/config';
import LongestFirst from './test/longest-first.ts';

export default defineConfig({
  test: {
    // Integration tests mostly wait for brokers and processes: three at once keep two cores busy.
    maxWorkers: 3,
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        test: {
          name: 'unit',
          // Files that one process runs share their modules: loading them again took a third of the time.
          isolate: false,
          include: ['{src,test,bench}/**/*.test.ts'],
          exclude: ['**/*.integration.test.ts', 'test/simulation/**'],
          // Ends a test that hangs. It says nothing of how fast a test has to be on a busy machine.
          testTimeout: 60_000,
        },
      },
      {
        // Apart from the unit tests, which answer in two minutes.
        test: {
          name: 'simulation',
          include: ['test/simulation/**/*.test.ts'],
          exclude: ['**/*.integration.test.ts'],
          testTimeout: 600_000,
        },
      },
      {
        test: {
          name: 'integration',
          include: ['{src,test}/**/*.integration.test.ts'],
          globalSetup: 'test/servers/built.ts',
          // chdb holds one data directory in a process, so every file has a process of its own.
          pool: 'forks',
          testTimeout: 180_000,
          hookTimeout: 180_000,
        },
      },
    ],
  },
});
