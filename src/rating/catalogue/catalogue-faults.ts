import type { CatalogueDocument } from './catalogue-document.ts';
import { evidenceFaults } from './catalogue-evidence-faults.ts';
import type { CatalogueFault } from './catalogue-fault.ts';
import { identificationFaults } from './catalogue-identification-faults.ts';
import { identityFaults } from './catalogue-identity-faults.ts';
import { invoicingFaults } from './catalogue-invoicing-faults.ts';
import { planFaults } from './catalogue-plan-faults.ts';

/** Compares the parts of a catalogue with each other. Returns all faults at once. */
export function catalogueFaults(document: CatalogueDocument): CatalogueFault[] {
  return [
    ...identityFaults(document),
    ...evidenceFaults(document),
    ...identificationFaults(document),
    ...planFaults(document),
    ...invoicingFaults(document),
  ];
}
