import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { ConfigError } from '../platform/config-error.ts';
import { jsonSchemas } from './json-schema.ts';

export function registerJsonSchemas(program: Command): void {
  program
    .command('json-schemas')
    .argument('<directory>', 'where to write them')
    .description('write the JSON Schemas of catalogue and configuration, for editors that check while one types')
    .action((directory: string) => {
      for (const [name, text] of Object.entries(jsonSchemas())) {
        const path = join(directory, name);
        try {
          writeFileSync(path, text);
        } catch (error) {
          throw new ConfigError(
            `${path}: cannot be written (${(error as Error).message}); name a directory that exists`,
          );
        }
        process.stdout.write(`${path}\n`);
      }
    });
}
