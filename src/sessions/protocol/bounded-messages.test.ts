import { expect, test } from 'vitest';
import * as z from 'zod';
import * as dispatchMessages from './dispatch-messages.ts';
import * as flowMarks from './flow-mark.ts';

const requests = {
  'a heartbeat': dispatchMessages.heartbeatSchema,
  // Reports are read one by one, and answered so.
  'a usage report': dispatchMessages.usageReportSchema,
  'a request for a session': dispatchMessages.sessionRequestSchema,
  'an announcement': dispatchMessages.announcementSchema,
  'flow marks': flowMarks.flowMarksSchema,
};

/** A message of the right types, with as many items as there may be, in which every text and number breaks its bounds. */
function faulty(schema: z.core.JSONSchema._JSONSchema): unknown {
  if (typeof schema === 'boolean') return 0;
  const { type, properties = {}, items, maxItems = 1, propertyNames } = schema;
  if (type === 'array') return Array(maxItems).fill(faulty(items as z.core.JSONSchema.JSONSchema));
  if (type === 'object' && propertyNames === undefined) {
    return Object.fromEntries(Object.entries(properties).map(([name, field]) => [name, faulty(field)]));
  }
  return type === 'string' ? '' : -1;
}

test.each(Object.entries(requests))('%s of nothing but faults has no more of them than fields', (_, schema) => {
  const message = faulty(z.toJSONSchema(schema, { io: 'input' }));
  const read = (schema as z.ZodType).safeParse(message, {
    abortEarly: true,
  } as z.core.ParseContextInternal<z.core.$ZodIssue>);
  expect(read.success).toBe(false);
  expect(read.error?.issues.length).toBeLessThanOrEqual(20);
});
