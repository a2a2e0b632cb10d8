import * as z from 'zod';
import { id, time } from './catalogue-fields.ts';
import { prefixSchema } from './claim-document.ts';

/** A part of a catalogue: dated prefixes of one application, in a file of their own that `zerorate evidence` writes. */
export const cataloguePartSchema = z
  .strictObject({
    application: id('Id of the application, the one whose prefixFiles name this file.'),
    feed: z.string().min(1).max(64).describe('Name of the feed that the prefixes are from.'),
    fetchedAt: time().describe('When the list was fetched.'),
    source: z.string().optional().describe('Where the list was published.'),
    sourceSha256: z
      .string()
      .regex(/^[\da-f]{64}$/, { error: 'expected 64 hex digits' })
      .optional()
      .describe('SHA-256 of the published list.'),
    createdAt: time().optional().describe('When the list was made, as it says itself.'),
    prefixes: z
      .array(prefixSchema)
      .describe('Networks as in applications[].prefixes of the catalogue, and when they are in force.'),
  })
  .describe('A part of a catalogue: prefixes of one application, from a published list.');

export type CataloguePart = z.output<typeof cataloguePartSchema>;
