import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeAuthority } from '../../../test/servers/certificates.ts';
import { readTlsFiles } from './tls-files.ts';

const directory = mkdtempSync(join(tmpdir(), 'zerorate-tls-'));
let [expired, valid] = ['', ''];
beforeAll(async () => {
  const authority = await makeAuthority(directory, 'next');
  expired = readFileSync((await authority.issue('former', { isExpired: true })).cert, 'utf8');
  valid = readFileSync(authority.ca, 'utf8');
});
afterAll(() => rmSync(directory, { recursive: true }));

function readAuthorities(...pem: string[]) {
  const caFile = join(directory, 'authorities.pem');
  writeFileSync(caFile, pem.join('text between certificates\n'));
  return readTlsFiles({ caFile }, 'http.tls');
}

test('of several authorities one must not be expired, in whatever order', () => {
  expect(readAuthorities(expired, valid).ca).toContain(expired);
  expect(readAuthorities(valid, expired).ca).toContain(valid);
  expect(() => readAuthorities(expired, expired)).toThrow(/http\.tls\.caFile: the certificate has expired on/);
  expect(() => readAuthorities('none')).toThrow(/expected certificates in PEM/);
});
