import { describe, expect, test } from 'vitest';
import { formatFault } from '../../formats/document-fault.ts';
import { evidenceConfigSchema, type Feed } from '../evidence-config-schema.ts';
import {
  AWS_IP_RANGES,
  CIDR_LIST,
  GEOFEED,
  GOOGLE_CLOUD,
  PFD_MANAGEMENT,
  RPSL_ROUTES,
} from './published-lists.fixture.ts';
import { readAddressList } from './read-address-list.ts';

function feedOf(form: Feed['form'], more: object = {}): Feed {
  const feed = { id: 'f', application: 'chat', source: { file: 'list' }, form, ...more };
  return evidenceConfigSchema.parse({ catalogue: 'c.yaml', feeds: [feed] }).feeds[0];
}

const read = (form: Feed['form'], text: string | Uint8Array, more?: object) =>
  readAddressList(feedOf(form, more), typeof text === 'string' ? Buffer.from(text) : text, 'list');

const prefixesOf = (form: Feed['form'], text: string, filter?: object) =>
  read(form, text, filter && { filter }).list?.prefixes;

const faultsOf = (...args: Parameters<typeof read>) => (read(...args).faults ?? []).map(formatFault);

describe('the published forms', () => {
  test('a text of networks and single addresses, with comments', () => {
    const { list } = read('cidr-list', `\ufeff${CIDR_LIST.replaceAll('\n', '\r\n')}`);
    const prefixes = ['2001:db8::7/128', '2001:db8:0:1::/64', '198.51.100.7/32', '203.0.113.0/24'];
    expect(list).toEqual({ prefixes: expect.arrayContaining(prefixes), createdAtMs: null, notes: [] });
    expect(list?.prefixes).toHaveLength(4);
  });

  test('Amazon’s list by service and region: what several services have counts once', () => {
    expect(read('aws-ip-ranges', AWS_IP_RANGES).list?.createdAtMs).toBe(Date.UTC(2026, 1, 1));
    expect(prefixesOf('aws-ip-ranges', AWS_IP_RANGES)).toHaveLength(5);
    expect(prefixesOf('aws-ip-ranges', AWS_IP_RANGES, { services: ['CLOUDFRONT'] })).toEqual([
      '198.51.100.0/25',
      '2001:db8:1::/48',
    ]);
    const inRegion = { services: ['EC2', 'S3'], regions: ['eu-central-1'] };
    expect(prefixesOf('aws-ip-ranges', AWS_IP_RANGES, inRegion)).toEqual(['203.0.113.0/24', '2001:db8:f000::/40']);
  });

  test('Google’s list by scope; its sync token is the instant that its time without a zone means', () => {
    expect(read('google-ip-ranges', GOOGLE_CLOUD).list?.createdAtMs).toBe(1769932799123);
    const older = GOOGLE_CLOUD.replace(/.*syncToken.*\n/, '');
    expect(read('google-ip-ranges', older).list?.createdAtMs).toBe(Date.UTC(2026, 0, 31, 23, 59, 59, 123));
    expect(prefixesOf('google-ip-ranges', GOOGLE_CLOUD, { scopes: ['europe-west3'] })).toEqual([
      '203.0.113.0/25',
      '2001:db8:2::/48',
    ]);
  });

  test('a geofeed, with quoted cells and single addresses', () => {
    expect(prefixesOf('geofeed', GEOFEED)).toEqual([
      '192.0.2.0/28',
      '198.51.100.7/32',
      '203.0.113.0/24',
      '2001:db8:3::/48',
    ]);
  });

  test('route objects, and their first lines alone', () => {
    const prefixes = ['203.0.113.0/24', '2001:db8:4::/48'];
    expect(prefixesOf('rpsl-routes', RPSL_ROUTES, { origin: 'AS64496' })).toEqual(prefixes);
    const lines = RPSL_ROUTES.split('\n').filter((line) => line.startsWith('route'));
    expect(prefixesOf('rpsl-routes', lines.join('\n'))).toEqual(prefixes);
  });

  test('packet flow descriptions in either direction; names and URLs are reported', () => {
    const filter = { externalAppIds: ['chat'] };
    const expected = {
      prefixes: ['198.51.100.7/32', '203.0.113.0/24', '2001:db8:5::/48'],
      createdAtMs: null,
      notes: [
        'chat, PFD names: 1 URL is not usable: evidence is by address',
        'chat, PFD names: 1 domain name is not usable: evidence is by address',
      ],
    };
    expect(read('3gpp-pfd', PFD_MANAGEMENT, { filter }).list).toEqual(expected);
    expect(read('3gpp-pfd', `[${PFD_MANAGEMENT}]`, { filter }).list).toEqual(expected);
  });

  test('flow descriptions with protocols and ports of the server are prefixes with them, each traffic once', () => {
    const { list } = read('3gpp-pfd', PFD_MANAGEMENT, { portRules: 'skip', filter: { externalAppIds: ['video'] } });
    expect(list?.prefixes).toEqual([
      '192.0.2.0/28 tcp 443',
      '192.0.2.0/28 udp 443',
      '192.0.2.0/28 sctp 443',
      '192.0.2.16/28 tcp 443',
      '192.0.2.16/28 udp 5000-5101,6000',
      '192.0.2.32/28 esp',
      '192.0.2.48/28',
    ]);
    expect(list?.notes).toEqual([
      'video, PFD ports: "permit out 17 from 192.0.2.64/28 to assigned 5000-5100" has port 5000-5100 of the terminal, which a prefix cannot have; skipped',
    ]);
  });

  test('flow descriptions with a port of the terminal are refused by name', () => {
    expect(faultsOf('3gpp-pfd', PFD_MANAGEMENT)).toEqual([
      'list:32: pfdDatas.video.pfds.ports.flowDescriptions[7]: "permit out 17 from 192.0.2.64/28 to assigned 5000-5100" has port 5000-5100 of the terminal, which a prefix cannot have; name its address without it, or set portRules: skip',
    ]);
  });
});

const aws = (from: string | RegExp, to: string) => AWS_IP_RANGES.replace(from, to);
const google = (from: string | RegExp, to: string) => GOOGLE_CLOUD.replace(from, to);
const rule = (text: string) => PFD_MANAGEMENT.replace('permit in ip from 203.0.113.0/24 to assigned', text);
const chat = { filter: { externalAppIds: ['chat'] } };
const NO_RULE = 'expected "permit in|out ip from ADDRESS to assigned" (RFC 6733, 4.3.1)';
const RULE_PLACE = 'list:10: pfdDatas.chat.pfds.servers.flowDescriptions[0]:';

const DAMAGED: [what: string, ...Parameters<typeof read>, faults: (string | RegExp)[]][] = [
  ['no text', 'cidr-list', '', {}, ['list: is empty: fetch it again, and check the URL']],
  ['bytes of an archive', 'cidr-list', Uint8Array.of(0x1f, 0x8b, 8, 0xff), {}, [/^list: is no text in UTF-8: /]],
  ['a web page', 'aws-ip-ranges', '\n<!DOCTYPE html>', {}, ['list: is a web page or XML, not a list: check the URL']],
  ['comments alone', 'cidr-list', '# none\n', {}, [/^list: holds no address that is used: check the source/]],
  [
    'a name among networks',
    'cidr-list',
    '192.0.2.0/24\nproxy.example\n',
    {},
    ['list:2: "proxy.example" is no network: expected CIDR, as 203.0.113.0/24 or 2001:db8::/32'],
  ],
  [
    'a network that was cut off',
    'cidr-list',
    '192.0.2.0/24\n198.51.100',
    {},
    ['list:2: "198.51.100" is no network: expected CIDR, as 203.0.113.0/24 or 2001:db8::/32'],
  ],
  [
    'host bits',
    'cidr-list',
    '192.0.2.7/24',
    {},
    ['list:1: 192.0.2.7/24 has host bits set: the network is 192.0.2.0/24'],
  ],
  [
    'an IPv4-mapped network',
    'cidr-list',
    '::ffff:192.0.2.0/120',
    {},
    ['list:1: ::ffff:192.0.2.0/120 is an IPv4-mapped network: write it as 192.0.2.0/24'],
  ],
  ['a longer prefix than there is', 'cidr-list', '192.0.2.0/33', {}, [/^list:1: "192.0.2.0\/33" is no network/]],
  ['a range', 'cidr-list', '192.0.2.0-192.0.2.255', {}, [/^list:1: "192.0.2.0-192.0.2.255" is no network/]],
  ['a very long line', 'cidr-list', 'x'.repeat(9999), {}, ['list:1: a line of 9999 characters is no network']],
  [
    'another form',
    'cidr-list',
    AWS_IP_RANGES.repeat(3),
    {},
    [
      ...Array.from({ length: 20 }, () => /^list:\d+: .* no network/),
      "list: and 22 more faults: check the feed's form",
    ],
  ],
  [
    'JSON that was cut off',
    'aws-ip-ranges',
    AWS_IP_RANGES.slice(0, 400),
    {},
    ['list:7: the file ends too early: it was cut off; fetch it again'],
  ],
  [
    'no JSON',
    'aws-ip-ranges',
    aws('"prefixes": [', '"prefixes": [,'),
    {},
    ['list:4: not valid JSON here; fetch it again, and check the URL'],
  ],
  [
    'a list that is there twice',
    'aws-ip-ranges',
    aws('"ipv6_prefixes"', '"prefixes": [], "ipv6_prefixes"'),
    {},
    [/^list:10: not valid YAML: duplicated mapping key/],
  ],
  [
    'a list that is missing',
    'aws-ip-ranges',
    aws('"ipv6_prefixes"', '"ipv6"'),
    {},
    ['list:1: ipv6_prefixes: is missing: expected a list'],
  ],
  [
    'no time',
    'aws-ip-ranges',
    aws('2026-02-01-00', '2026-02-41-00'),
    {},
    ['list:3: createDate: 2026-02-41-00-00-00 is no time, as 2026-01-31-23-59-59'],
  ],
  [
    'a network of the other family',
    'aws-ip-ranges',
    aws('192.0.2.0/26', '2001:db8::/48'),
    {},
    ['list:8: prefixes[3]: "2001:db8::/48" is in the list of the other address family'],
  ],
  [
    'a misspelled service',
    'aws-ip-ranges',
    AWS_IP_RANGES,
    { filter: { services: ['CLOUDFRNT'] } },
    ['list: no entry fits "CLOUDFRNT" of filter.services (did you mean "CLOUDFRONT"?): correct the feed\'s filter'],
  ],
  [
    'a service that is not in the region',
    'aws-ip-ranges',
    AWS_IP_RANGES,
    { filter: { services: ['S3'], regions: ['GLOBAL'] } },
    [/^list: holds no address that is used/],
  ],
  [
    'an entry without a network',
    'google-ip-ranges',
    google('"ipv4Prefix": "198.51.100.0/24",', ''),
    {},
    ['list:8: prefixes[1]: expected either ipv4Prefix or ipv6Prefix'],
  ],
  [
    'an entry with two',
    'google-ip-ranges',
    google('"scope": "us-east1"', '"ipv6Prefix": "2001:db8::/48"'),
    {},
    ['list:8: prefixes[1]: expected either ipv4Prefix or ipv6Prefix'],
  ],
  [
    'a token that is no time',
    'google-ip-ranges',
    google('1769932799123', 'abc'),
    {},
    ['list:2: syncToken: expected milliseconds since 1970, as "1769904000000"'],
  ],
  [
    'a geofeed without countries',
    'geofeed',
    '192.0.2.0/24\n',
    {},
    ['list:1: expected prefix,country,region,city,postal code (RFC 8805), as 192.0.2.0/24,DE,,,'],
  ],
  [
    'a geofeed with an open quote',
    'geofeed',
    '192.0.2.0/24,IE,,"Dublin,\n',
    {},
    ['list:1: a quote that is opened is not closed; fetch it again'],
  ],
  [
    'routes that were cut off',
    'rpsl-routes',
    RPSL_ROUTES.replace(/source: {5}RADB\n$/, ''),
    {},
    ['list:10: this object has no source, its last attribute: the list was cut off'],
  ],
  [
    'a route of another network',
    'rpsl-routes',
    RPSL_ROUTES,
    { filter: { origin: 'AS64511' } },
    [/^list:3: this route is of AS64496, not of AS64511 as filter.origin says/, /^list:10: /],
  ],
  [
    'the answer to another query',
    'rpsl-routes',
    'aut-num: AS64496\n',
    {},
    [/^list:1: expected a route or route6 object/],
  ],
  [
    'a rule that denies',
    '3gpp-pfd',
    rule('deny in ip from 192.0.2.1 to any'),
    chat,
    [/a rule that denies cannot be ev/],
  ],
  [
    'a rule that is cut off',
    '3gpp-pfd',
    rule('permit in ip from 192.0.2.1'),
    chat,
    [`${RULE_PLACE} "permit in ip from 192.0.2.1" is no flow description without options: ${NO_RULE}`],
  ],
  [
    'a rule without a server',
    '3gpp-pfd',
    rule('permit in ip from any to assigned'),
    chat,
    [`${RULE_PLACE} "permit in ip from any to assigned" names no address of a server; ${NO_RULE}`],
  ],
  [
    'a rule of two addresses',
    '3gpp-pfd',
    rule('permit in ip from 192.0.2.1 to 192.0.2.2'),
    chat,
    [`${RULE_PLACE} "permit in ip from 192.0.2.1 to 192.0.2.2" names two addresses: which is the server’s? ${NO_RULE}`],
  ],
  [
    'a rule that excludes an address',
    '3gpp-pfd',
    rule('permit in ip from !192.0.2.1 to any'),
    chat,
    [`${RULE_PLACE} "permit in ip from !192.0.2.1 to any" excludes an address: name those that are meant`],
  ],
  [
    'a rule of a protocol that is none',
    '3gpp-pfd',
    rule('permit in 256 from 192.0.2.1 to any'),
    chat,
    [`${RULE_PLACE} "permit in 256 from 192.0.2.1 to any": 256 is no protocol: expected ip, or a number from 0 to 255`],
  ],
  [
    'a rule with a port that is none',
    '3gpp-pfd',
    rule('permit in 6 from 192.0.2.1 443,70000 to any'),
    chat,
    [`${RULE_PLACE} "permit in 6 from 192.0.2.1 443,70000 to any": 443,70000 are no ports from 0 to 65535`],
  ],
  [
    'a rule with ports of a protocol without them',
    '3gpp-pfd',
    rule('permit in 1 from 192.0.2.1 443 to any'),
    chat,
    [`${RULE_PLACE} "permit in 1 from 192.0.2.1 443 to any": protocol 1 has no ports`],
  ],
  [
    'more spans of ports than a prefix may have',
    '3gpp-pfd',
    rule(`permit in 6 from 192.0.2.1 ${Array.from({ length: 65 }, (_, at) => at * 2).join(',')} to any`),
    chat,
    ['list: 192.0.2.1/32 has 65 spans of tcp ports: a prefix may have 64'],
  ],
  ['a rule with options', '3gpp-pfd', rule('permit in ip from 192.0.2.1 to any frag'), chat, [/without options/]],
  [
    'a rule with a name',
    '3gpp-pfd',
    rule('permit in ip from chat.example to any'),
    chat,
    [/"chat.example" is no netw/],
  ],
  [
    'a key of another application',
    '3gpp-pfd',
    PFD_MANAGEMENT.replace('"externalAppId": "chat"', '"externalAppId": "chatter"'),
    { filter: { externalAppIds: ['chatter'] } },
    ['list:5: pfdDatas.chat.externalAppId: is under the key "chat": key and externalAppId must be equal'],
  ],
  ['no PFDs', '3gpp-pfd', '{"pfds":{}}', {}, [/^list:1: pfdDatas: is missing/]],
  [
    'names alone',
    '3gpp-pfd',
    PFD_MANAGEMENT.replace(/"flowDescriptions": \[[^\]]*\]/g, '"urls": ["x"]'),
    chat,
    [/^list: holds no address that is used \(chat, PFD servers: 1 URL is not usable.*\): check the source/],
  ],
];

describe('damaged lists are refused, by line, with what to do', () => {
  test.each(DAMAGED)('%s (%s)', (_what, form, text, more, faults) => {
    const found = faultsOf(form, text, more);
    expect(found).toHaveLength(faults.length);
    found.forEach((fault, i) => {
      const expected = faults[i];
      if (typeof expected === 'string') expect(fault).toBe(expected);
      else expect(fault).toMatch(expected);
    });
  });
});
