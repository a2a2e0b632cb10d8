import * as z from 'zod';
import { configSchema } from '../../platform/config/config-schema.ts';
import { catalogueSchema } from '../../rating/catalogue/catalogue-document.ts';
import { dispatchConfigSchema } from '../../sessions/dispatch/dispatch-config-schema.ts';
import { proxyConfigSchema } from '../../sessions/proxy/proxy-config-schema.ts';

/** The JSON Schemas of the files that a user writes, by file name, for editors that check while one types. */
export function jsonSchemas(): Record<string, string> {
  return {
    'catalogue.schema.json': jsonSchemaText(catalogueSchema, 'zerorate catalogue'),
    'dispatch.schema.json': jsonSchemaText(dispatchConfigSchema, 'zerorate dispatch server'),
    'proxy.schema.json': jsonSchemaText(proxyConfigSchema, 'zerorate proxy server'),
    'zerorate.schema.json': jsonSchemaText(configSchema, 'zerorate configuration'),
  };
}

/** Of the input: a field that has a default may be left out. */
function jsonSchemaText(schema: z.ZodType, title: string): string {
  const { $schema, ...rest } = z.toJSONSchema(schema, { io: 'input' });
  return `${JSON.stringify({ $schema, title, ...rest }, null, 2)}\n`;
}
