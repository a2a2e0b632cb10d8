import type { ContentType } from '../../rating/flow-record.ts';
import type { Subscribers } from '../addresses/imsi-subscribers.ts';

/** What a CDR does not say and an operator knows. */
export interface CdrMapping {
  /** Content types by service identifier, and by rating group where that says none. */
  contentTypes: {
    serviceIdentifiers: Readonly<Record<string, ContentType>>;
    ratingGroups: Readonly<Record<string, ContentType>>;
  };
  /** How servedMSISDN is written; absent: as an address string. */
  msisdnFormat?: 'address-string' | 'tbcd';
  /** Of national numbers. */
  countryCode?: string | undefined;
  /** Whether records have the CDR's fields of the network: servingPlmn, ratType, trackingArea. Their content is another one without. */
  network?: boolean | undefined;
  /** Names the subscriber of a CDR that has an IMSI only. */
  subscribers?: Subscribers;
}

export const NO_CDR_MAPPING: CdrMapping = { contentTypes: { serviceIdentifiers: {}, ratingGroups: {} } };
