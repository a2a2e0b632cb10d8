import * as z from 'zod';
import { hasCredentials, path } from '../platform/config/config-fields.ts';
import { tlsSchema } from '../platform/config/tls-schema.ts';
import { PORT_RULES } from './forms/pfd-management.ts';

const MAX_PERCENT = 1_000_000;
const MAX_LIST_BYTES = 2 ** 28;

/** Names a file, too: it has no dot, so that no feed's part has the name of another one's pending part. */
const feedId = z
  .string()
  .regex(/^[a-z0-9][a-z0-9_-]{0,63}$/, { error: 'expected 1 to 64 of a-z 0-9 _ - beginning with a letter or digit' })
  .describe('Name of the feed, and of its files.');

const sourceSchema = z
  .strictObject({
    url: z
      .url({ protocol: /^https$/, error: 'expected an https:// address' })
      // The message must not show what the URL holds.
      .refine((text) => !hasCredentials(text), { error: 'a URL with a user or password in it is refused' })
      .optional()
      .describe('HTTPS address of the list.'),
    file: path('File of the list, for one that another program fetches.').optional(),
    timeoutMs: z
      .int()
      .min(1)
      .max(600_000)
      .default(30_000)
      .describe('Most time that a fetch takes, with all its redirects.'),
    tls: tlsSchema.optional(),
  })
  .refine(({ url, file }) => (url === undefined) !== (file === undefined), { error: 'name either url or file' })
  .meta({ oneOf: [{ required: ['url'] }, { required: ['file'] }] })
  .describe('Where the list is published.');

const percent = (what: string) =>
  z
    .int()
    .min(0)
    .max(MAX_PERCENT)
    .nullable()
    .default(25)
    .describe(`${what}, in percent of what is in force; null: no limit.`);

const guardsSchema = z
  .strictObject({
    prefixGrowthPercent: percent('Most prefixes that a list may add'),
    prefixShrinkPercent: percent('Most prefixes that a list may lose'),
    addressGrowthPercent: percent('Most addresses of a family, IPv4 or IPv6, that a list may add'),
    addressShrinkPercent: percent('Most addresses of a family that a list may lose'),
    shortestIpv4Prefix: z
      .int()
      .min(0)
      .max(32)
      .default(12)
      .describe('Length of the broadest IPv4 prefix that is accepted.'),
    shortestIpv6Prefix: z
      .int()
      .min(0)
      .max(128)
      .default(24)
      .describe('Length of the broadest IPv6 prefix that is accepted.'),
    maxBytes: z
      .int()
      .min(1)
      .max(MAX_LIST_BYTES)
      .default(2 ** 24)
      .describe('Most bytes of a list; a larger one is read no further.'),
  })
  .prefault({})
  .describe('Limits of a list: one that exceeds them is refused, and the part in force stays.');

/** Of a form that says when its list was made. */
const datedGuardsSchema = z
  .strictObject({
    ...guardsSchema.unwrap().shape,
    maxAgeDays: z
      .int()
      .min(1)
      .max(36_500)
      .nullable()
      .default(90)
      .describe('Most days since the list was made, by its own creation time; null: no limit. Of forms that have one.'),
  })
  .prefault({})
  .describe('Limits of a list: one that exceeds them is refused, and the part in force stays.');

const words = (what: string) =>
  z.array(z.string().min(1)).min(1, { error: 'expected a name, or no such field' }).optional().describe(what);

const ofFeed = {
  id: feedId,
  application: z.string().describe('Id of the application, in the catalogue, whose servers have the addresses.'),
  source: sourceSchema,
};
const FILTER = 'What of the list counts; absent: all.';

const feedSchema = z.discriminatedUnion(
  'form',
  [
    z.strictObject({
      ...ofFeed,
      form: z.literal('cidr-list').describe('a network or address a line, comments after #.'),
      guards: guardsSchema,
    }),
    z.strictObject({
      ...ofFeed,
      form: z.literal('aws-ip-ranges').describe('JSON as Amazon’s ip-ranges.json.'),
      filter: z
        .strictObject({
          services: words('Services, as CLOUDFRONT.'),
          regions: words('Regions of AWS, as eu-central-1 or GLOBAL.'),
        })
        .prefault({})
        .describe(FILTER),
      guards: datedGuardsSchema,
    }),
    z.strictObject({
      ...ofFeed,
      form: z.literal('google-ip-ranges').describe('JSON as Google’s goog.json and cloud.json.'),
      filter: z
        .strictObject({
          services: words('Services of cloud.json, as Google Cloud.'),
          scopes: words('Scopes of cloud.json, as europe-west3.'),
        })
        .prefault({})
        .describe(FILTER),
      guards: datedGuardsSchema,
    }),
    z.strictObject({
      ...ofFeed,
      form: z.literal('geofeed').describe('CSV of a geofeed (RFC 8805), as Meta publishes.'),
      guards: guardsSchema,
    }),
    z.strictObject({
      ...ofFeed,
      form: z
        .literal('rpsl-routes')
        .describe('Route objects of a routing registry (RPSL), as a whois query by origin.'),
      filter: z
        .strictObject({
          origin: z
            .string()
            .regex(/^AS\d{1,10}$/, { error: 'expected an AS number, as AS64496' })
            .optional()
            .describe('The AS whose routes they are: a route of another one is refused.'),
        })
        .prefault({})
        .describe(FILTER),
      guards: guardsSchema,
    }),
    z.strictObject({
      ...ofFeed,
      form: z.literal('3gpp-pfd').describe('JSON of packet flow descriptions (TS 29.122, PfdManagement).'),
      filter: z
        .strictObject({ externalAppIds: words('External application identifiers.') })
        .prefault({})
        .describe(FILTER),
      portRules: z
        .enum(PORT_RULES)
        .default('refuse')
        .describe(
          'A flow description with a port of the terminal, which a prefix of the catalogue cannot have: refuse the list, or skip it.',
        ),
      guards: guardsSchema,
    }),
  ],
  {
    error: () => 'expected a form: cidr-list, aws-ip-ranges, google-ip-ranges, geofeed, rpsl-routes or 3gpp-pfd',
  },
);

/** `evidence.yaml`. It holds no secrets. */
export const evidenceConfigSchema = z
  .strictObject({
    catalogue: path('The catalogue of sponsors, applications and plans.'),
    directory: path(
      'Directory of the parts of the catalogue that feeds write, of pending parts and of the log.',
    ).default('evidence'),
    approvals: z
      .literal([1, 2])
      .default(1)
      .describe('How many people must approve a change before it counts; each by a name of their own.'),
    feeds: z.array(feedSchema).min(1).describe('Published lists of addresses.'),
    sharedClouds: z
      .array(path('A list of networks, one a line, or JSON as Amazon’s ip-ranges.json and Google’s cloud.json.'))
      .default([])
      .describe(
        'Clouds whose addresses many tenants use: `check --evidence` warns of an application that is recognised by one of their addresses alone.',
      ),
  })
  .describe('Evidence feeds: published lists of addresses that become dated parts of the catalogue.');

export type EvidenceDocument = z.output<typeof evidenceConfigSchema>;
export type Feed = EvidenceDocument['feeds'][number];
