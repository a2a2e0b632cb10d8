import type { Application, MatchPolicy } from './catalogue.ts';
import { type CdrTables, type ClaimTable, claimTable } from './cdr-claims.ts';
import { type DetectionTable, detectionTable } from './detection-claims.ts';
import { BY_CDR, BY_IP, BY_TAG } from './flow-record.ts';
import { serviceTable } from './service-claims.ts';
import { type WordMaps, wordMaps } from './word-maps.ts';

/**
 * What `Evidence` looks records up in: all of it flat arrays, which threads share and none of them has to make again. Making them of
 * a million prefixes takes seconds.
 */
export interface EvidenceTables extends CdrTables {
  /** By application, what its match policy asks for: bits of evidence, and DETECTED. */
  needs: Uint8Array;
  tags: ClaimTable;
  detections: DetectionTable;
  /** By application: 1 where a detection alone is evidence. */
  detectedAlone: Uint8Array;
  prefixes: WordMaps;
}

/** A bit beside those of `evidence`: the gateway detected the application, too. */
export const DETECTED = 8;

const NEEDS: Readonly<Record<MatchPolicy, number>> = {
  any: 0,
  tag: BY_TAG,
  ip: BY_IP,
  both: BY_TAG | BY_IP,
  cdr: BY_CDR,
  detected: DETECTED,
};

/** Throws a TypeError on a prefix that is none. */
export function evidenceTables(applications: readonly Application[]): EvidenceTables {
  return {
    needs: Uint8Array.from(applications, ({ match }) => NEEDS[match]),
    sponsors: Int32Array.from(applications, ({ sponsor }) => sponsor),
    tags: claimTable(applications.map(({ tags }) => tags)),
    aspIdentities: claimTable(applications.map(({ aspIdentities }) => aspIdentities)),
    sponsorIdentities: claimTable(applications.map(({ sponsorIdentities }) => sponsorIdentities)),
    services: serviceTable(applications.map(({ services }) => services)),
    detections: detectionTable(applications.map(({ detections }) => detections)),
    detectedAlone: Uint8Array.from(applications, ({ detection }) => (detection === 'alone' ? 1 : 0)),
    prefixes: wordMaps(
      applications.flatMap(({ prefixes }, application) => prefixes.map((cidr) => ({ cidr, application }))),
    ),
  };
}
