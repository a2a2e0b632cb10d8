import { existsSync } from 'node:fs';
import { type Statement, statementSchema } from '../../finance/statements/statement-document.ts';
import { SIGNATURE_ENDING, type SignatureVerdict, verifyOctets } from '../../finance/statements/statement-signature.ts';
import { publicKeySetSchema } from '../../finance/statements/statement-signing-key.ts';
import { ConfigError } from '../../platform/config/config-error.ts';
import { type JsonFile, readFileBytes, readJsonFile, shapeJson, withoutResaving } from '../read-json.ts';

/** Where the operator's public keys are, and a signature that is not beside its file. */
export interface SignatureOptions {
  keys?: string | undefined;
  signature?: string;
}

export interface SignedStatement {
  path: string;
  file: JsonFile;
  statement: Statement;
  /** Null: no key set was named, so no signature was looked at. */
  verdict: SignatureVerdict | null;
}

/** A statement and, where a key set is named, what its signature says. Throws a ConfigError for what cannot be read. */
export async function readSignedStatement(path: string, options: SignatureOptions): Promise<SignedStatement> {
  const file = readJsonFile(path);
  return {
    path,
    file,
    statement: shapeJson(file.text, path, statementSchema),
    verdict: options.keys === undefined ? null : await verdictOf(path, file, options.keys, options.signature),
  };
}

/** Whether a signature lies beside a file. */
export function hasSignature(path: string): boolean {
  return existsSync(`${path}${SIGNATURE_ENDING}`);
}

async function verdictOf(
  path: string,
  { octets }: JsonFile,
  keysPath: string,
  signaturePath = `${path}${SIGNATURE_ENDING}`,
): Promise<SignatureVerdict> {
  const keys = shapeJson(readJsonFile(keysPath).text, keysPath, publicKeySetSchema);
  if (!existsSync(signaturePath)) {
    throw new ConfigError(
      `${signaturePath}: no signature is there; take it from the operator, or name it with --signature`,
    );
  }
  const signature = readFileBytes(signaturePath).toString('latin1');
  const verdict = await verifyOctets(octets, signature, keys);
  if (verdict.fault === undefined) return verdict;
  const original = await verifyOctets(
    withoutResaving(octets),
    signature.replace(/^\u00ef\u00bb\u00bf|\s+$/g, ''),
    keys,
  );
  return original.fault === undefined
    ? { fault: `the values are those signed by key ${original.keyId}, but a file was re-saved: use the original files` }
    : { fault: `${signaturePath}: ${verdict.fault}` };
}
