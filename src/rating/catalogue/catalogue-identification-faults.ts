import type { CatalogueDocument } from './catalogue-document.ts';
import type { CatalogueFault } from './catalogue-fault.ts';

type ApplicationDocument = CatalogueDocument['applications'][number];

/** Returns where an application's `identifiedBy` and its evidence differ, or where its plans could not rate such traffic. */
export function identificationFaults({ applications, plans }: CatalogueDocument): CatalogueFault[] {
  const byAddressAlone = new Set<string>();
  const faults = applications.flatMap((application, i) => {
    const path = ['applications', i, 'identifiedBy'];
    const messages = evidenceMessages(application);
    const { id, identifiedBy } = application;
    if (identifiedBy?.every((way) => way === 'proxy_address')) byAddressAlone.add(id);
    return messages.map((message) => ({ path, message }));
  });
  const ofPlans = plans.flatMap(({ application, content }, i): CatalogueFault[] => {
    if (!byAddressAlone.has(application)) return [];
    const shares = Object.values(content);
    const isOneShare = content.unknown !== undefined && shares.every((share) => share === content.unknown);
    if (isOneShare) return [];
    const message = `${application} is identified by its proxy's address alone, so its records name no content type: give unknown, and every other type that is named, one share`;
    return [{ path: ['plans', i, 'content'], message }];
  });
  return [...faults, ...ofPlans];
}

function evidenceMessages({ identifiedBy, match, tags, prefixes }: ApplicationDocument): string[] {
  if (identifiedBy === undefined) return [];
  const messages: string[] = [];
  if (new Set(identifiedBy).size < identifiedBy.length) messages.push('names a way twice');
  const byAddress = identifiedBy.includes('proxy_address');
  const byTag = identifiedBy.some((way) => way !== 'proxy_address');
  // Another kind of evidence would sponsor what none of these ways identifies.
  const expected = byTag && byAddress ? 'both' : byTag ? 'tag' : 'ip';
  if (match !== expected)
    messages.push(`identification by ${identifiedBy.join(' and ')} needs match: ${expected}, not ${match}`);
  if (byTag && tags.length === 0) messages.push('terminal_tag and proxy_mark need a tag in tags');
  if (byAddress && prefixes.length === 0) messages.push("proxy_address needs the proxy's network in prefixes");
  return messages;
}
