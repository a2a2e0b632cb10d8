import { expect, test } from 'vitest';
import type { Finding } from '../../assurance/fraud/finding.ts';
import { formatFindings } from './format-findings.ts';

const finding: Finding = {
  rule: 'several_places',
  sponsorId: 'acme',
  applicationId: 'chat clips',
  subject: 'ab'.repeat(16),
  figures: { records: 1234, nodes: 'gw-1 gw-2', share: 0.5 },
  threshold: '3 records by 60 seconds',
};

test('a table is for people, with what its rules mean below it', () => {
  const lines = formatFindings([finding, { ...finding, sponsorId: '', applicationId: '' }], 'table').split('\n');
  expect(lines[2]).toMatch(
    /^several_places +acme +chat clips +(ab){16} +records 1 234, nodes gw-1 gw-2, share 0.5 +3 records/,
  );
  expect(lines[3]).toMatch(/^several_places +- +- +/);
  expect(lines.filter((line) => line.startsWith('several_places: Usage at the same time'))).toHaveLength(1);
  expect(formatFindings([], 'table')).toBe('nothing looks like fraud by these thresholds');
});

test('JSON has every finding with its reason', () => {
  expect(JSON.parse(formatFindings([finding], 'json'))).toEqual([
    { ...finding, why: expect.stringContaining('Usage at') },
  ]);
  expect(formatFindings([], 'json')).toBe('[]');
});

test('CSV quotes, and lets no formula through', () => {
  const [head, row] = formatFindings([{ ...finding, subject: '=cmd()' }], 'csv').split('\n');
  expect(head).toBe('rule,sponsor_id,application_id,subject,figures,threshold,why');
  expect(row).toContain(
    `several_places,acme,chat clips,'=cmd(),"{""records"":1234,""nodes"":""gw-1 gw-2"",""share"":0.5}",3 records`,
  );
});
