import * as z from 'zod';
import { AddressListCollector, type ReadAddressList } from './address-list.ts';
import { placeOf, readJsonList } from './json-list.ts';

export interface AwsFilter {
  services?: readonly string[] | undefined;
  regions?: readonly string[] | undefined;
}

const labels = { region: z.string(), service: z.string() };
/** What is not used is not looked at. */
const schema = z.object({
  createDate: z.string().regex(/^\d{4}(-\d\d){5}$/, { error: 'expected a time as 2026-01-31-23-59-59' }),
  prefixes: z.array(z.object({ ip_prefix: z.string(), ...labels })),
  ipv6_prefixes: z.array(z.object({ ipv6_prefix: z.string(), ...labels })),
});

/** Reads Amazon's `ip-ranges.json`. A service such as EC2 is in the list under AMAZON, too: each network counts once. */
export function readAwsIpRanges(text: string, file: string, { services, regions }: AwsFilter): ReadAddressList {
  const read = readJsonList(text, file, schema);
  if (read.faults !== undefined) return { faults: read.faults };
  const { createDate, prefixes, ipv6_prefixes: ipv6Prefixes } = read.value;
  const collector = new AddressListCollector(file);
  const entries = [
    ...prefixes.map((entry, i) => ({ ...entry, prefix: entry.ip_prefix, isIpv6: false, path: ['prefixes', i] })),
    ...ipv6Prefixes.map((entry, i) => ({
      ...entry,
      prefix: entry.ipv6_prefix,
      isIpv6: true,
      path: ['ipv6_prefixes', i],
    })),
  ];
  collector.requireWords('services', services, new Set(entries.map(({ service }) => service)));
  collector.requireWords('regions', regions, new Set(entries.map(({ region }) => region)));
  for (const { prefix, isIpv6, region, service, path } of entries) {
    const place = placeOf(read.locate, path);
    if (services?.includes(service) === false || regions?.includes(region) === false) continue;
    if (prefix.includes(':') === isIpv6) collector.addNetwork(prefix, place);
    else collector.fault(place, `${JSON.stringify(prefix)} is in the list of the other address family`);
  }
  const createdAtMs = Date.parse(createDate.replace(/^(.{10})-(..)-(..)-(..)$/, '$1T$2:$3:$4Z'));
  if (Number.isNaN(createdAtMs)) {
    collector.fault(placeOf(read.locate, ['createDate']), `${createDate} is no time, as 2026-01-31-23-59-59`);
  }
  return collector.finish(createdAtMs);
}
