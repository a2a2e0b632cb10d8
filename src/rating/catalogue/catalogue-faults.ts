import { conditionFaults } from './catalogue-condition-faults.ts';
import type { CatalogueDocument, CatalogueFault } from './catalogue-document.ts';
import { evidenceFaults, type NameOfPath } from './catalogue-evidence-faults.ts';
import { identityFaults } from './catalogue-identity-faults.ts';
import { isVatId } from './catalogue-invoicing.ts';
import { monthlyTermsFaults } from './catalogue-monthly-terms-faults.ts';
import { planFaults } from './catalogue-plan-faults.ts';
import { furtherQuotaFaults } from './further-quotas.ts';

/** Compares the parts of a catalogue with each other. Returns all faults at once. `nameOf`: how a message names another place. */
export function catalogueFaults(document: CatalogueDocument, nameOf: NameOfPath): CatalogueFault[] {
  return [
    ...identityFaults(document),
    ...evidenceFaults(document, nameOf),
    ...identificationFaults(document),
    ...detectionFaults(document),
    ...planFaults(document),
    ...conditionFaults(document),
    ...furtherQuotaFaults(document),
    ...invoicingFaults(document),
    ...monthlyTermsFaults(document),
  ];
}

type ApplicationDocument = CatalogueDocument['applications'][number];

/** Returns where an application's `identifiedBy` and its evidence differ, or where its plans could not rate such traffic. */
function identificationFaults({ applications, plans }: CatalogueDocument): CatalogueFault[] {
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

/** Returns where an application asks for a detection and names nothing that could be detected. */
function detectionFaults({ applications }: CatalogueDocument): CatalogueFault[] {
  return applications.flatMap(({ match, detection, detectedNames }, i): CatalogueFault[] => {
    if (detectedNames !== undefined) return [];
    const message = 'needs a name in detectedNames';
    return [
      ...(match === 'detected' ? [{ path: ['applications', i, 'match'], message: `detected ${message}` }] : []),
      ...(detection === undefined
        ? []
        : [{ path: ['applications', i, 'detection'], message: `${detection} ${message}` }]),
    ];
  });
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

/** Buyers without a seller, and parties that lack an identifier which EN 16931 asks for in the buyer's tax category. */
function invoicingFaults({ sponsors, invoicing }: CatalogueDocument): CatalogueFault[] {
  return sponsors.flatMap(({ buyer }, index) => {
    if (buyer === undefined) return [];
    const fault = (path: readonly string[], message: string) => ({
      path: ['sponsors', index, 'buyer', ...path],
      message,
    });
    if (invoicing === undefined) return [fault([], 'a buyer needs the seller: add `invoicing` to the catalogue')];
    const { category } = buyer.tax;
    const { seller } = invoicing;
    const faults: CatalogueFault[] = [];
    if (category === 'O' && seller.companyId === undefined) {
      faults.push(fault(['tax', 'category'], 'category O needs `invoicing.seller.companyId` (EN 16931, BR-CO-26)'));
    }
    if (category !== 'O' && !isVatId(seller.taxId)) {
      const wanted = 'a VAT number for `invoicing.seller.taxId`, as DE123456789 (EN 16931, BR-S-02)';
      faults.push(fault(['tax', 'category'], `category ${category} needs ${wanted}`));
    }
    if (category === 'AE' && !isVatId(buyer.taxId) && buyer.companyId === undefined) {
      faults.push(fault(['tax', 'category'], 'category AE needs the buyer’s taxId or companyId (EN 16931, BR-AE-02)'));
    }
    return faults;
  });
}
