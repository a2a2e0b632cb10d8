import * as z from 'zod';
import type { KeyRename } from '../config/renamed-keys.ts';

const KIB = 1024;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

const timeoutMs = (defaultMs: number) => z.int().min(50).max(HOUR_MS).default(defaultMs);

/** Bounds of an HTTP server: its connections, sizes of a request before its body, and times. */
export const httpLimitsSchema = z
  .strictObject({
    connections: z.int().min(1).max(1_000_000).default(2000).describe('Open connections.'),
    connectionsPerAddress: z
      .int()
      .min(1)
      .max(1_000_000)
      .default(200)
      .describe('Open connections of one IPv4 address or IPv6 /64. Those of trusted reverse proxies are not counted.'),
    headerBytes: z
      .int()
      .min(KIB)
      .max(1024 * KIB)
      .default(16 * KIB)
      .describe('Request line and headers of a request; longer ones are answered with 431.'),
    urlBytes: z.int().min(256).max(16_384).default(2048).describe('URL of a request; longer: 414.'),
    headersTimeoutMs: timeoutMs(10_000).describe('From the first byte of a request to the end of its headers.'),
    bodyTimeoutMs: timeoutMs(20_000).describe('From the end of the headers to the end of the body; longer: 408.'),
    requestTimeoutMs: timeoutMs(30_000).describe('From the first byte of a request to its last.'),
    keepAliveTimeoutMs: timeoutMs(30_000).describe('A connection between two requests.'),
    idleTimeoutMs: timeoutMs(60_000).describe('A connection on which nothing is sent or taken.'),
  })
  .prefault({})
  .describe('Limits on connections and requests.');
export type HttpLimits = z.output<typeof httpLimitsSchema>;

/** Of a map of these limits: what its keys were called in the version before. */
export const HTTP_LIMITS_RENAMES: readonly KeyRename[] = [
  { from: ['headerOctets'], to: ['headerBytes'] },
  { from: ['urlOctets'], to: ['urlBytes'] },
];

/** So many requests in so long. */
export const requestRateSchema = (requests: number, what: string) =>
  z
    .strictObject({
      requests: z.int().min(1).max(1_000_000_000).default(requests).describe('So many requests.'),
      intervalMs: z.int().min(100).max(DAY_MS).default(60_000).describe('In so long.'),
    })
    .prefault({})
    .describe(what);
export type RequestRate = z.output<ReturnType<typeof requestRateSchema>>;
