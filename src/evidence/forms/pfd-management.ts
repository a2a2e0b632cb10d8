import * as z from 'zod';
import { AddressListCollector, type Place, type ReadAddressList } from './address-list.ts';
import { readFilterRule } from './ip-filter-rule.ts';
import { placeOf, readJsonList } from './json-list.ts';

export interface PfdFilter {
  externalAppIds?: readonly string[] | undefined;
}

/** What becomes of a flow description that a prefix cannot express: one with a port of the terminal. */
export const PORT_RULES = ['refuse', 'skip'] as const;
export type PortRules = (typeof PORT_RULES)[number];

const texts = z.array(z.string()).min(1).optional();
const pfdSchema = z.object({ pfdId: z.string(), flowDescriptions: texts, urls: texts, domainNames: texts });
const managementSchema = z.object({
  pfdDatas: z.record(z.string(), z.object({ externalAppId: z.string(), pfds: z.record(z.string(), pfdSchema) })),
});
type PfdManagement = z.output<typeof managementSchema>;
type Pfd = z.output<typeof pfdSchema>;

/**
 * Reads packet flow descriptions as the PFD management interface has them (TS 29.122, 5.11): one PfdManagement, or the list of them
 * that a request for all transactions returns. Addresses count, with protocol and ports of the server; URLs and domain
 * names are reported as not usable.
 */
export function readPfdManagement(
  text: string,
  file: string,
  { externalAppIds }: PfdFilter,
  portRules: PortRules,
): ReadAddressList {
  const isList = text.trimStart().startsWith('[');
  const read = readJsonList<PfdManagement | PfdManagement[]>(
    text,
    file,
    isList ? z.array(managementSchema) : managementSchema,
  );
  if (read.faults !== undefined) return { faults: read.faults };
  const { value, locate } = read;
  const collector = new AddressListCollector(file);
  const found = [value].flat().flatMap(({ pfdDatas }, i) =>
    Object.entries(pfdDatas).map(([key, data]) => ({
      ...data,
      key,
      path: [...(isList ? [i] : []), 'pfdDatas', key],
    })),
  );
  collector.requireWords('externalAppIds', externalAppIds, new Set(found.map(({ externalAppId }) => externalAppId)));
  for (const { key, externalAppId, pfds, path } of found) {
    if (key !== externalAppId) {
      const message = `is under the key ${JSON.stringify(key)}: key and externalAppId must be equal`;
      collector.fault(placeOf(locate, [...path, 'externalAppId']), message);
    }
    if (externalAppIds?.includes(externalAppId) === false) continue;
    for (const [pfdKey, pfd] of Object.entries(pfds)) {
      const ofRule = (i: number) => placeOf(locate, [...path, 'pfds', pfdKey, 'flowDescriptions', i]);
      addPfd(`${externalAppId}, PFD ${pfd.pfdId}`, pfd, { collector, portRules, ofRule });
    }
  }
  return collector.finish(null);
}

function addPfd(
  name: string,
  { flowDescriptions = [], urls = [], domainNames = [] }: Pfd,
  {
    collector,
    portRules,
    ofRule,
  }: { collector: AddressListCollector; portRules: PortRules; ofRule: (i: number) => () => Place },
): void {
  for (const [i, text] of flowDescriptions.entries()) {
    const rule = readFilterRule(text);
    if (rule.kind === 'fault') collector.fault(ofRule(i), rule.message);
    else if (rule.kind === 'address') collector.addNetworkOrAddress(rule.address, ofRule(i), rule.flows);
    else {
      const why = `${JSON.stringify(text)} has ${rule.conditions.join(' and ')}, which a prefix cannot have`;
      if (portRules === 'skip') collector.note(`${name}: ${why}; skipped`);
      else collector.fault(ofRule(i), `${why}; name its address without it, or set portRules: skip`);
    }
  }
  for (const [count, noun] of [
    [urls.length, 'URL'],
    [domainNames.length, 'domain name'],
  ] as const) {
    if (count === 0) continue;
    const are = count === 1 ? ` is` : `s are`;
    collector.note(`${name}: ${count} ${noun}${are} not usable: evidence is by address`);
  }
}
