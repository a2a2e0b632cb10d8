import * as z from 'zod';
import { AddressListCollector, type ReadAddressList } from './address-list.ts';
import { placeOf, readJsonList } from './json-list.ts';

export interface GoogleFilter {
  services?: readonly string[] | undefined;
  scopes?: readonly string[] | undefined;
}

const schema = z.object({
  syncToken: z
    .string()
    .regex(/^\d{13}$/, { error: 'expected milliseconds since 1970, as "1769904000000"' })
    .optional(),
  creationTime: z.string().regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?$/, {
    error: 'expected a time as 2026-01-31T23:59:59.123456',
  }),
  prefixes: z.array(
    z.object({
      ipv4Prefix: z.string().optional(),
      ipv6Prefix: z.string().optional(),
      service: z.string().optional(),
      scope: z.string().optional(),
    }),
  ),
});

/** Reads Google's `goog.json`, `cloud.json`, and lists of its crawlers; services and scopes are in `cloud.json` only. */
export function readGoogleIpRanges(text: string, file: string, { services, scopes }: GoogleFilter): ReadAddressList {
  const read = readJsonList(text, file, schema);
  if (read.faults !== undefined) return { faults: read.faults };
  const { syncToken, creationTime, prefixes } = read.value;
  const collector = new AddressListCollector(file);
  const wordsOf = (name: 'service' | 'scope') => new Set(prefixes.flatMap((entry) => entry[name] ?? []));
  collector.requireWords('services', services, wordsOf('service'));
  collector.requireWords('scopes', scopes, wordsOf('scope'));
  for (const [i, { ipv4Prefix, ipv6Prefix, service = '', scope = '' }] of prefixes.entries()) {
    if (services?.includes(service) === false || scopes?.includes(scope) === false) continue;
    const place = placeOf(read.locate, ['prefixes', i]);
    const [prefix = '', other] = [ipv4Prefix, ipv6Prefix].filter((each) => each !== undefined);
    if (prefix === '' || other !== undefined) collector.fault(place, 'expected either ipv4Prefix or ipv6Prefix');
    else if (prefix.includes(':') === (ipv6Prefix !== undefined)) collector.addNetwork(prefix, place);
    else collector.fault(place, `${JSON.stringify(prefix)} is under the name of the other address family`);
  }
  // creationTime has no zone: it is the same instant by a clock in California.
  const createdAtMs = syncToken === undefined ? Date.parse(`${creationTime}Z`) : Number(syncToken);
  if (Number.isNaN(createdAtMs)) {
    collector.fault(placeOf(read.locate, ['creationTime']), `${creationTime} is no time, as 2026-01-31T23:59:59`);
  }
  return collector.finish(createdAtMs);
}
