import type { CatalogueDocument } from './catalogue-document.ts';
import type { CatalogueFault } from './catalogue-fault.ts';
import { isVatId } from './catalogue-invoicing.ts';

/** Buyers without a seller, and parties that lack an identifier which EN 16931 asks for in the buyer's tax category. */
export function invoicingFaults({ sponsors, invoicing }: CatalogueDocument): CatalogueFault[] {
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
