/** Lists in the public forms, with networks of documentation (RFC 5737, RFC 3849). */

export const CIDR_LIST = `# Proxies of the application
203.0.113.0/24
198.51.100.7   # one address

2001:DB8:0:1::/64
2001:db8::7
`;

export const AWS_IP_RANGES = `{
  "syncToken": "1769904000",
  "createDate": "2026-02-01-00-00-00",
  "prefixes": [
    { "ip_prefix": "203.0.113.0/24", "region": "eu-central-1", "service": "AMAZON", "network_border_group": "eu-central-1" },
    { "ip_prefix": "203.0.113.0/24", "region": "eu-central-1", "service": "EC2", "network_border_group": "eu-central-1" },
    { "ip_prefix": "198.51.100.0/25", "region": "GLOBAL", "service": "CLOUDFRONT", "network_border_group": "GLOBAL" },
    { "ip_prefix": "192.0.2.0/26", "region": "us-east-1", "service": "S3", "network_border_group": "us-east-1" }
  ],
  "ipv6_prefixes": [
    { "ipv6_prefix": "2001:db8:f000::/40", "region": "eu-central-1", "service": "EC2", "network_border_group": "eu-central-1" },
    { "ipv6_prefix": "2001:db8:1::/48", "region": "GLOBAL", "service": "CLOUDFRONT", "network_border_group": "GLOBAL" }
  ]
}
`;

export const GOOGLE_CLOUD = `{
  "syncToken": "1769932799123",
  "creationTime": "2026-01-31T23:59:59.123",
  "prefixes": [{
    "ipv4Prefix": "203.0.113.0/25",
    "service": "Google Cloud",
    "scope": "europe-west3"
  }, {
    "ipv4Prefix": "198.51.100.0/24",
    "service": "Google Cloud",
    "scope": "us-east1"
  }, {
    "ipv6Prefix": "2001:db8:2::/48",
    "service": "Google Cloud",
    "scope": "europe-west3"
  }]
}
`;

export const GEOFEED = `# Geofeed of the network (RFC 8805)
203.0.113.0/24,IE,IE-L,Dublin,
198.51.100.7,US,US-CA,"Menlo Park, West",94025
2001:db8:3::/48,SE,,,
192.0.2.0/28,,,,
`;

export const RPSL_ROUTES = `% Objects by origin

route:      203.0.113.0/24
descr:      a network
            and more of it
origin:     AS64496
mnt-by:     MAINT-AS64496
source:     RADB

route6:     2001:db8:4::/48 # documentation
origin:     as64496
source:     RADB
`;

export const PFD_MANAGEMENT = `{
  "self": "https://nef.example/3gpp-pfd-management/v1/as1/transactions/1",
  "pfdDatas": {
    "chat": {
      "externalAppId": "chat",
      "pfds": {
        "servers": {
          "pfdId": "servers",
          "flowDescriptions": [
            "permit in ip from 203.0.113.0/24 to assigned",
            "permit out ip from 198.51.100.7 to any",
            "permit in ip from assigned to 2001:db8:5::/48"
          ]
        },
        "names": { "pfdId": "names", "domainNames": ["chat.example"], "urls": ["^https://chat.example/"] }
      },
      "cachingTime": 3600
    },
    "video": {
      "externalAppId": "video",
      "pfds": {
        "ports": {
          "pfdId": "ports",
          "flowDescriptions": [
            "permit in ip from 192.0.2.0/28 443 to assigned",
            "permit out 17 from 192.0.2.16/28 6000,5000-5100 to assigned",
            "permit in 17 from assigned to 192.0.2.16/28 5101",
            "permit out 6 from 192.0.2.16/28 443 to assigned",
            "permit out 50 from 192.0.2.32/28 to assigned",
            "permit out 6 from 192.0.2.48/28 443 to assigned",
            "permit out ip from 192.0.2.48/28 to assigned",
            "permit out 17 from 192.0.2.64/28 to assigned 5000-5100"
          ]
        }
      }
    }
  }
}
`;
