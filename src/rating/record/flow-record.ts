/**
 * One flow record: the usage of one terminal with one remote address in one interval, a partial CDR (TS 32.298).
 * Its identity is (`nodeId`, `localSequenceNumber`).
 */
export interface FlowRecord {
  nodeId: string;
  /** Consecutive per node. */
  localSequenceNumber: number;
  chargingId: number;
  /** Number of this partial record within its session. */
  recordSequenceNumber: number;
  /** Normal form: E.164 digits without `+` or international prefix, at most 15, the first of them not 0. */
  servedMsisdn: string;
  servedImsi: string | null;
  /** Milliseconds since 1970-01-01T00:00Z; the record's period is the one that holds this instant. */
  startTime: number;
  endTime: number;
  terminalIp: string;
  terminalPort: number;
  remoteIp: string;
  remotePort: number;
  protocol: number;
  zeroRatingTag: string | null;
  contentType: ContentType | null;
  ratingGroup: number | null;
  serviceIdentifier: number | null;
  /** Octets that the terminal sent, as the gateway metered them. */
  uplinkOctets: number;
  /** Octets that the terminal received, as the gateway metered them. */
  downlinkOctets: number;
  /** Who pays, as the gateway was configured (Sponsor-Identity, AVP 531, TS 29.214). */
  sponsorIdentity: string | null;
  /** Whose service it is (Application-Service-Provider-Identity, AVP 532, TS 29.214). */
  applicationServiceProviderIdentity: string | null;
}

/** Content types that a plan can name; `unknown` is a record that names none. */
export const CONTENT_TYPES = ['text', 'voice', 'image', 'video', 'other', 'unknown'] as const;
export type ContentType = (typeof CONTENT_TYPES)[number];

export const FLOW_RECORD_FIELDS = [
  'nodeId',
  'localSequenceNumber',
  'chargingId',
  'recordSequenceNumber',
  'servedMsisdn',
  'servedImsi',
  'startTime',
  'endTime',
  'terminalIp',
  'terminalPort',
  'remoteIp',
  'remotePort',
  'protocol',
  'zeroRatingTag',
  'contentType',
  'ratingGroup',
  'serviceIdentifier',
  'uplinkOctets',
  'downlinkOctets',
  'sponsorIdentity',
  'applicationServiceProviderIdentity',
] as const satisfies readonly (keyof FlowRecord)[];

/** Fields that a record need not have. */
export const NULLABLE_FIELDS: ReadonlySet<string> = new Set<keyof FlowRecord>([
  'servedImsi',
  'zeroRatingTag',
  'contentType',
  'ratingGroup',
  'serviceIdentifier',
  'sponsorIdentity',
  'applicationServiceProviderIdentity',
]);
