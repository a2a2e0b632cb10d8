import { AddressListCollector, type ReadAddressList } from './address-list.ts';

/** Reads a text of one network or address a line; `#` begins a comment, and empty lines count for nothing. */
export function readCidrList(text: string, file: string): ReadAddressList {
  const collector = new AddressListCollector(file);
  text.split('\n').forEach((line, i) => {
    const entry = line.replace(/#.*/, '').trim();
    if (entry !== '') collector.addNetworkOrAddress(entry, () => ({ line: i + 1, path: '' }));
  });
  return collector.finish(null);
}
