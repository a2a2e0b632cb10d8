import type { Application, MatchPolicy } from './catalogue.ts';
import { byBeginning, ClaimChainWriter, type Claimed, claimText, conditionsOf, NO_OWNER } from './claims.ts';
import { BY_CDR, BY_IP, BY_TAG } from './flow-record.ts';
import { type TextTableData, textTable } from './text-table.ts';
import { type WordMaps, wordMaps } from './word-maps.ts';

/**
 * What `Evidence` looks records up in: all of it flat arrays, which threads share and none of them has to make again. Making them of
 * a million prefixes takes seconds.
 */
export interface EvidenceTables {
  /** By application, the bits of evidence that its match policy asks for. */
  needs: Uint8Array;
  /** By application, its sponsor. */
  sponsors: Int32Array;
  tags: ClaimTable;
  aspIdentities: ClaimTable;
  sponsorIdentities: ClaimTable;
  prefixes: WordMaps;
}

/** Tags, or identities of one kind, and the applications that claim them. */
export interface ClaimTable {
  texts: TextTableData;
  /** By number of the text, whose it is: see `ClaimChains`. */
  owners: Int32Array;
  /** What `ClaimChains` reads: empty where no claim has dates. */
  chains: Float64Array;
}

const NEEDS: Readonly<Record<MatchPolicy, number>> = {
  any: 0,
  tag: BY_TAG,
  ip: BY_IP,
  both: BY_TAG | BY_IP,
  cdr: BY_CDR,
};

/** Throws a TypeError on a prefix that is none. */
export function evidenceTables(applications: readonly Application[]): EvidenceTables {
  return {
    needs: Uint8Array.from(applications, ({ match }) => NEEDS[match]),
    sponsors: Int32Array.from(applications, ({ sponsor }) => sponsor),
    tags: claimTable(applications.map(({ tags }) => tags)),
    aspIdentities: claimTable(applications.map(({ aspIdentities }) => aspIdentities)),
    sponsorIdentities: claimTable(applications.map(({ sponsorIdentities }) => sponsorIdentities)),
    prefixes: wordMaps(
      applications.flatMap(({ prefixes }, application) => prefixes.map((cidr) => ({ cidr, application }))),
    ),
  };
}

/** `claims`: by application. */
function claimTable(claims: readonly (readonly Claimed[])[]): ClaimTable {
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
