import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { ConfigError } from '../../platform/config/config-error.ts';
import { jsonSchemas } from './json-schema.ts';
import { openApiDocuments } from './openapi.ts';

export function registerJsonSchemas(program: Command): void {
  program
    .command('json-schemas')
    .argument('<directory>', 'where to write them')
    .description(
      'write the JSON Schemas of catalogue and configuration, for editors, and the OpenAPI documents of the HTTP interfaces',
    )
    .action(async (directory: string) => {
      for (const [name, text] of Object.entries({ ...jsonSchemas(), ...(await openApiDocuments()) })) {
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
