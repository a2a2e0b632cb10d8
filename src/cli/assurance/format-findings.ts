import { type Finding, RULES } from '../../assurance/fraud/finding.ts';
import { csvText } from '../../formats/csv.ts';
import { formatTable, grouped } from '../../platform/telemetry/terminal-output.ts';

export const FINDING_FORMATS = ['table', 'csv', 'json'] as const;
export type FindingFormat = (typeof FINDING_FORMATS)[number];

/** Findings for people, for a spreadsheet, or for a program. */
export function formatFindings(findings: readonly Finding[], format: FindingFormat): string {
  if (format === 'json')
    return JSON.stringify(
      findings.map((finding) => ({ ...finding, why: RULES[finding.rule] })),
      null,
      2,
    );
  if (format === 'csv') return csv(findings);
  if (findings.length === 0) return 'nothing looks like fraud by these thresholds';
  const table = formatTable(findings, [
    { title: 'rule', cell: ({ rule }) => rule },
    { title: 'sponsor', cell: ({ sponsorId }) => sponsorId || '-' },
    { title: 'application', cell: ({ applicationId }) => applicationId || '-' },
    { title: 'subject', cell: ({ subject }) => subject },
    { title: 'figures', cell: ({ figures }) => inWords(figures) },
    { title: 'reached', cell: ({ threshold }) => threshold },
  ]);
  const rules = [...new Set(findings.map(({ rule }) => rule))].map((rule) => `${rule}: ${RULES[rule]}`);
  return [table, '', ...rules].join('\n');
}

function inWords(figures: Finding['figures']): string {
  const shown = (value: string | number) =>
    typeof value === 'number' && Number.isInteger(value) ? grouped(value) : String(value);
  return Object.entries(figures)
    .map(([name, value]) => `${name.replaceAll('_', ' ')} ${shown(value)}`)
    .join(', ');
}

/** The figures of all rules are in one column, as each rule has its own. */
function csv(findings: readonly Finding[]): string {
  const rows = findings.map(({ rule, sponsorId, applicationId, subject, figures, threshold }) => [
    rule,
    sponsorId,
    applicationId,
    subject,
    JSON.stringify(figures),
    threshold,
    RULES[rule],
  ]);
  const header = ['rule', 'sponsor_id', 'application_id', 'subject', 'figures', 'threshold', 'why'];
  return csvText([header, ...rows]).trimEnd();
}
