import type { Feed } from '../evidence-config-schema.ts';
import type { ReadAddressList } from './address-list.ts';
import { readAwsIpRanges } from './aws-ip-ranges.ts';
import { readCidrList } from './cidr-list.ts';
import { readGeofeed } from './geofeed.ts';
import { readGoogleIpRanges } from './google-ip-ranges.ts';
import { readPfdManagement } from './pfd-management.ts';
import { readRpslRoutes } from './rpsl-routes.ts';

/** Reads a published list in the form that the feed says. `file`: the list's name in faults. */
export function readAddressList(feed: Feed, bytes: Uint8Array, file: string): ReadAddressList {
  const text = textOf(bytes);
  const fault = (message: string): ReadAddressList => ({ faults: [{ file, line: null, path: '', message }] });
  if (text === null) return fault('is no text in UTF-8: fetch it again, and check the URL');
  if (text.trim() === '') return fault('is empty: fetch it again, and check the URL');
  if (text.trimStart().startsWith('<')) return fault('is a web page or XML, not a list: check the URL');
  switch (feed.form) {
    case 'cidr-list':
      return readCidrList(text, file);
    case 'aws-ip-ranges':
      return readAwsIpRanges(text, file, feed.filter);
    case 'google-ip-ranges':
      return readGoogleIpRanges(text, file, feed.filter);
    case 'geofeed':
      return readGeofeed(text, file);
    case 'rpsl-routes':
      return readRpslRoutes(text, file, feed.filter);
    case '3gpp-pfd':
      return readPfdManagement(text, file, feed.filter, feed.portRules);
  }
}

/** Without a byte order mark; null for bytes that are no UTF-8. */
function textOf(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return null;
  }
}
