import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import * as z from 'zod';
import { evidenceConfigSchema } from '../../evidence/evidence-config-schema.ts';
import { ConfigError } from '../../platform/config/config-error.ts';
import { configSchema } from '../../platform/config/config-schema.ts';
import { catalogueSchema } from '../../rating/catalogue/catalogue-document.ts';
import { cataloguePartSchema } from '../../rating/catalogue/catalogue-part.ts';
import { dispatchConfigSchema } from '../../sessions/dispatch/dispatch-config-schema.ts';
import { gatewaySchema } from '../../sessions/gateway/gateway-config.ts';
import { proxyConfigSchema } from '../../sessions/proxy/proxy-config-schema.ts';
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

/** The JSON Schemas of the files that a user writes, by file name, for editors that check while one types. */
export function jsonSchemas(): Record<string, string> {
  return {
    'catalogue.schema.json': jsonSchemaText(catalogueSchema, 'zerorate catalogue'),
    'catalogue-part.schema.json': jsonSchemaText(cataloguePartSchema, 'zerorate part of a catalogue'),
    'dispatch.schema.json': jsonSchemaText(dispatchConfigSchema, 'zerorate dispatch server'),
    'evidence.schema.json': jsonSchemaText(evidenceConfigSchema, 'zerorate evidence feeds'),
    'gateway.schema.json': jsonSchemaText(gatewaySchema, 'zerorate gateway simulator'),
    'proxy.schema.json': jsonSchemaText(proxyConfigSchema, 'zerorate proxy server'),
    'zerorate.schema.json': jsonSchemaText(configSchema, 'zerorate configuration'),
  };
}

/** Of the input: a field that has a default may be left out. */
function jsonSchemaText(schema: z.ZodType, title: string): string {
  const { $schema, ...rest } = z.toJSONSchema(schema, { io: 'input' });
  return `${JSON.stringify({ $schema, title, ...rest }, null, 2)}\n`;
}
