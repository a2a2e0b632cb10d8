import * as z from 'zod';
import { tlsSchema } from '../../../platform/config/tls-schema.ts';

const DAY_MS = 86_400_000;
const path = (what: string) => z.string().min(1).describe(`${what} Relative to this file.`);
const ms = (min: number, max: number) => z.int().min(min).max(max);

const ACCOUNT_WAYS = ['assertion', 'callback', 'registry', 'development', 'none'] as const;

const callbackSchema = z
  .strictObject({
    url: z
      .url({ protocol: /^https$/ })
      .describe("HTTPS address of the sponsor's endpoint. Redirects are not followed."),
    secretFile: path('File of the secret that is sent to it as a bearer token.'),
    tls: tlsSchema.optional().describe('TLS towards the endpoint.'),
    timeoutMs: ms(50, 60_000).default(2000).describe('How long one request may take in all.'),
    cacheIntervalMs: ms(0, 300_000).default(10_000).describe('How long an answer that names an account is used again.'),
    retryDelayMs: ms(100, DAY_MS)
      .default(5000)
      .describe('When a terminal is to ask again after a failure, and how long a failing endpoint is left alone.'),
  })
  .describe('The endpoint, for callback.');

/** How a dispatch server verifies accounts of an application. */
export const accountSchema = z
  .strictObject({
    way: z
      .enum(ACCOUNT_WAYS)
      .default('assertion')
      .describe(
        "By the sponsor's assertion (the catalogue names its keys), by asking the sponsor (callback), by a registry, or without proof " +
          '(development: on a loopback address only). none: no sessions of this application are given here.',
      ),
    subscribersPerAccount: z
      .int()
      .min(1)
      .max(1000)
      .default(1)
      .describe('So many MSISDNs may use one account; further ones are refused.'),
    callback: callbackSchema.optional(),
    registry: z
      .strictObject({
        file: path(
          'CSV with the header account,msisdn or account,subscriber, or a JSON list of such objects. Read again at SIGHUP.',
        ),
      })
      .optional()
      .describe('The file, for registry.'),
  })
  .describe('How the account of a subscriber in the application is verified.');

export type AccountSettings = z.output<typeof accountSchema>;
