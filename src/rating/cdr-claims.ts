import type { AdmissionKernel } from './admission-kernel.ts';
import {
  byBeginning,
  ClaimChains,
  ClaimChainWriter,
  type Claimed,
  claimText,
  conditionsOf,
  NO_OWNER,
} from './claims.ts';
import {
  CONFLICTING_IDENTITIES,
  type FlowBatch,
  type FlowRecord,
  NO_IDENTITY,
  UNKNOWN_IDENTITY,
} from './flow-record.ts';
import { NO_TEXT } from './kernel/regions.ts';
import { TextNumbers } from './names.ts';
import { NO_NUMBER, ServiceClaims, type ServiceTable } from './service-claims.ts';
import { NO_TEXT_NUMBER, TextTable, type TextTableData, textTable } from './text-table.ts';

/** Of a tag or an identity that no application claims at any time. */
export const UNCLAIMED = NO_TEXT_NUMBER;

/** Tags, or identities of one kind, and the applications that claim them, in flat arrays. */
export interface ClaimTable {
  texts: TextTableData;
  /** By number of the text, whose it is: see `ClaimChains`. */
  owners: Int32Array;
  /** What `ClaimChains` reads: empty where no claim has conditions. */
  chains: Float64Array;
}

/** `claims`: by application. */
export function claimTable(claims: readonly (readonly Claimed[])[]): ClaimTable {
  const chains = new ClaimChainWriter();
  const owners = new Map<string, number>();
  const all = claims.flatMap((own, application) =>
    own.map((claimed) => ({ text: claimText(claimed), conditions: conditionsOf(claimed), application })),
  );
  // The newest claim of a text comes first in its chain: it is the one that most records fall under.
  for (const { text, conditions, application } of all.sort((a, b) => byBeginning(a.conditions, b.conditions))) {
    owners.set(text, chains.ownerOf(application, conditions, owners.get(text) ?? NO_OWNER));
  }
  return { texts: textTable([...owners.keys()]), owners: Int32Array.from(owners.values()), chains: chains.take() };
}

/** Reads a table of tags or identities. */
export class TextClaims {
  readonly texts: TextTable;
  readonly #kernelNumbers = new TextNumbers((text) => this.numberOf(text));
  readonly #owners: Int32Array;
  readonly chains: ClaimChains;

  constructor({ texts, owners, chains }: ClaimTable) {
    this.texts = new TextTable(texts);
    this.#owners = owners;
    this.chains = new ClaimChains(chains);
  }

  /** Returns a text's number, or UNCLAIMED. */
  numberOf(text: string): number {
    return this.texts.numberOf(text);
  }

  /** The same for one of the kernel's texts. */
  numberOfText(kernel: AdmissionKernel, text: number): number {
    return this.#kernelNumbers.of(kernel, text);
  }

  /** Returns the application that claims the text with this number at the start of a record, or NO_OWNER. */
  applicationOf(number: number, batch: FlowBatch, row: number): number {
    return this.chains.applicationOf(this.#owners[number], batch, row);
  }
}

/** What applications claim of what a gateway writes into its CDR. */
export interface CdrTables {
  aspIdentities: ClaimTable;
  sponsorIdentities: ClaimTable;
  services: ServiceTable;
  /** By application, its sponsor. */
  sponsors: Int32Array;
}

/**
 * Which application claims what a gateway wrote into its CDR. The ASP identity decides: it names the service. The sponsor identity
 * names who pays, which is one application only where an application claims it, and it counts where no application claims the ASP
 * identity. When both are claimed, and by applications of two sponsors, they conflict. The rating group and the service identifier
 * count where no identity is claimed; where one is, they must not name another application.
 */
export class CdrClaims {
  readonly #asp: TextClaims;
  readonly #sponsor: TextClaims;
  readonly #services: ServiceClaims;
  /** By application its sponsor. */
  readonly #sponsors: Int32Array;

  constructor({ aspIdentities, sponsorIdentities, services, sponsors }: CdrTables) {
    this.#asp = new TextClaims(aspIdentities);
    this.#sponsor = new TextClaims(sponsorIdentities);
    this.#services = new ServiceClaims(services);
    this.#sponsors = sponsors;
  }

  /** Gives an application, or NO_IDENTITY, UNKNOWN_IDENTITY, CONFLICTING_IDENTITIES. */
  applicationOf(record: FlowRecord, batch: FlowBatch, row: number): number {
    const { sponsorIdentity, applicationServiceProviderIdentity, ratingGroup, serviceIdentifier } = record;
    const hasNone = sponsorIdentity === null && applicationServiceProviderIdentity === null;
    const asp = this.#asp.numberOf(applicationServiceProviderIdentity ?? '');
    const byIdentities = hasNone
      ? NO_IDENTITY
      : this.#decide(asp, this.#sponsor.numberOf(sponsorIdentity ?? ''), batch, row);
    return this.#withService(byIdentities, ratingGroup ?? NO_NUMBER, serviceIdentifier ?? NO_NUMBER, batch, row);
  }

  /** Fills `cdrApplication` of the kernel's rows [from, to), which are a batch's from `begin` on. */
  takeRows(kernel: AdmissionKernel, from: number, to: number, batch: FlowBatch, begin: number): void {
    const { sponsorText, aspText, ratingGroup, serviceIdentifier } = kernel;
    for (let row = from, at = begin; row < to; row++, at++) {
      if (sponsorText[row] === NO_TEXT && aspText[row] === NO_TEXT) continue;
      batch.cdrApplication[at] = this.#applicationOfTexts(kernel, row, batch, at);
    }
    if (this.#services.isEmpty) return;
    for (let row = from, at = begin; row < to; row++, at++) {
      const [group, service] = [ratingGroup[row], serviceIdentifier[row]];
      batch.cdrApplication[at] = this.#withService(batch.cdrApplication[at], group, service, batch, at);
    }
  }

  /** The same for a row of the kernel that has one at least. */
  #applicationOfTexts(kernel: AdmissionKernel, kernelRow: number, batch: FlowBatch, row: number): number {
    const of = (claims: TextClaims, text: number) => (text === NO_TEXT ? UNCLAIMED : claims.numberOfText(kernel, text));
    const asp = of(this.#asp, kernel.aspText[kernelRow]);
    return this.#decide(asp, of(this.#sponsor, kernel.sponsorText[kernelRow]), batch, row);
  }

  #decide(asp: number, sponsor: number, batch: FlowBatch, row: number): number {
    const byAsp = asp === UNCLAIMED ? NO_OWNER : this.#asp.applicationOf(asp, batch, row);
    const bySponsor = sponsor === UNCLAIMED ? NO_OWNER : this.#sponsor.applicationOf(sponsor, batch, row);
    if (byAsp === NO_OWNER) return bySponsor === NO_OWNER ? UNKNOWN_IDENTITY : bySponsor;
    const isOneSponsor = bySponsor === NO_OWNER || this.#sponsors[bySponsor] === this.#sponsors[byAsp];
    return isOneSponsor ? byAsp : CONFLICTING_IDENTITIES;
  }

  /** A rating group that no application claims is ordinary traffic's: it changes nothing. */
  #withService(byIdentities: number, group: number, service: number, batch: FlowBatch, row: number): number {
    if (this.#services.isEmpty || byIdentities === CONFLICTING_IDENTITIES) return byIdentities;
    const byService = this.#services.applicationOf(group, service, batch, row);
    if (byService === NO_OWNER) return byIdentities;
    return byIdentities < 0 || byIdentities === byService ? byService : CONFLICTING_IDENTITIES;
  }
}
