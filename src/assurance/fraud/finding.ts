/** The range of a search: usage that began on these days (UTC), days since 1970-01-01; `toDay` is exclusive. */
export interface FraudRange {
  fromDay: number;
  toDay: number;
}

/** Thresholds of findings with their defaults: options of the command, by these names. */
export const THRESHOLDS = {
  conflictShare: { value: 0.01, what: 'of a log’s records of a day, whose tag and prefix disagree' },
  conflictRecords: { value: 20, what: 'such records of a day at least' },
  tagShare: { value: 0.9, what: 'of a subscriber’s octets, recognised by the tag alone' },
  tagRecords: { value: 20, what: 'records of the subscriber at least, for that' },
  nodes: { value: 8, what: 'nodes of one subscriber and application within a day' },
  spread: { value: 2, what: 'times as many nodes of an application as on its median day' },
  uploadShare: { value: 0.8, what: 'of a subscriber’s octets, sent up' },
  uploadOctets: { value: 10 * 2 ** 20, what: 'octets of the subscriber at least, for that' },
  volumeFactor: { value: 10, what: 'times the median volume of a plan and period at least' },
  volumeOctets: { value: 100 * 2 ** 20, what: 'octets of the subscriber at least, for that' },
  deviations: { value: 5, what: 'robust standard deviations (1.4826 x MAD) above the median' },
  overlaps: { value: 3, what: 'records that overlap one of another node' },
  overlapSeconds: { value: 60, what: 'by so many seconds at least' },
  travelMinutes: { value: 60, what: 'between the records of two countries, at least' },
  repeats: { value: 1, what: 'records of a node that are charged again, at least' },
  roamingOctets: { value: 100 * 2 ** 20, what: 'sponsored octets abroad of one subscriber' },
} as const;

export type Thresholds = Record<keyof typeof THRESHOLDS, number>;

/** With fewer subscribers than this a median is not meaningful. */
export const FEWEST_SUBSCRIBERS = 10;

/** The rules in the order in which their findings are shown, and why their findings are suspicious. */
export const RULES = {
  evidence_conflict:
    'Tag and proxy address name different applications: a tag is used for traffic that is not its own. No sponsor is charged for it.',
  tag_elsewhere:
    'Others reach this application through its proxies; this subscriber’s traffic has the tag alone: the tag may be set by hand.',
  many_nodes:
    'One subscriber moves through more gateways in a day than a person does: an identity or a tag may have been copied.',
  spread: 'An application comes from far more gateways than on other days: its tag may have got into other hands.',
  upload_share: 'Users of this application mostly receive; this one mostly sends: traffic may be tunnelled through it.',
  volume: 'Far more than others use under the same plan in the same period: a shared line, a tunnel, or a resold one.',
  several_places: 'Usage at the same time on different gateways: one identity in several devices, or copied records.',
  charged_twice:
    'The same record of a gateway is charged more than once: it came again after the window of duplicates, or by another way.',
  fast_travel: 'Two countries within less time than the way takes: one identity in several devices.',
  roaming: 'Sponsored usage on gateways abroad, which costs the carrier more than its plans are priced for.',
  unmapped_node: 'A gateway that made charged records and that the list of nodes does not have.',
} as const;

export type FraudRule = keyof typeof RULES;

/** A finding of a rule. Octets and records are whole numbers, money is in micro-units. */
export interface Finding {
  rule: FraudRule;
  /** All values that the finding spans, separated by blanks; empty where the journal has none. */
  sponsorId: string;
  applicationId: string;
  /** The subject: a subscriber's pseudonym, a node, a log or an application. */
  subject: string;
  figures: Readonly<Record<string, string | number>>;
  /** The reached threshold, in words. */
  threshold: string;
}
