import type { UnprovenField } from '../../finance/statements/statement-fields.ts';
import { grouped } from '../../platform/telemetry/terminal-output.ts';

const SHOWN_FAULTS = 20;

/** What `verify` found of a file. */
export interface Verified {
  file: string;
  /** None: the file holds. */
  faults: string[];
  /** What holds, where there are no faults. */
  said: string;
  /** The key that signed the statement; null: no signature was checked, or none holds. */
  keyId: string | null;
  recomputed: string[];
  /** Fields that were not recomputed: only signed, or not proven at all. */
  unproven: UnprovenField[];
  /** What no field says, and is not proven either. */
  beyond: UnprovenField[];
  /** How files were re-saved. */
  notes: string[];
}

export function printVerified(verified: Verified, format: 'text' | 'json'): void {
  const isSigned = verified.keyId !== null;
  if (format === 'json') {
    const { file, faults, keyId, recomputed, unproven, beyond, notes } = verified;
    const result = {
      file,
      holds: faults.length === 0,
      faults,
      signedBy: keyId,
      recomputed,
      onlySigned: isSigned ? unproven : [],
      notProven: [...(isSigned ? [] : unproven), ...beyond],
      notes,
    };
    process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
    return;
  }
  for (const line of textLines(verified)) process.stdout.write(`${line}\n`);
}

function textLines({ file, faults, said, keyId, unproven, beyond, notes }: Verified): string[] {
  const broken = faults.slice(0, SHOWN_FAULTS).map((fault) => `BROKEN  ${file}: ${fault}`);
  const more = faults.length > SHOWN_FAULTS ? [`… and ${grouped(faults.length - SHOWN_FAULTS)} more`] : [];
  const resaved = notes.map((note) => `note    ${note}`);
  if (faults.length > 0) return [...broken, ...more, ...resaved];
  const by = keyId === null ? 'not proven' : 'only signed';
  return [
    `holds   ${file}: ${said}`,
    ...(keyId === null ? [] : [`signed  ${file}: by key ${keyId}`]),
    ...resaved,
    ...byReason(unproven).map(([why, fields]) => `${by}: ${fields.join(', ')} (${why})`),
    ...byReason(beyond).map(([why, fields]) => `not proven: ${fields.join(', ')} (${why})`),
  ];
}

function byReason(unproven: readonly UnprovenField[]): [string, string[]][] {
  const reasons = new Map<string, string[]>();
  for (const { field, why } of unproven) reasons.set(why, [...(reasons.get(why) ?? []), field]);
  return [...reasons];
}
