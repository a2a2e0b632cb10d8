import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const PROBE_TIMEOUT_MS = 5_000;

/** Returns whether a Docker engine answers: a client without an engine is common, and Testcontainers detects that slowly. */
export async function dockerAnswers(): Promise<boolean> {
  try {
    await promisify(execFile)('docker', ['version', '--format', '{{.Server.Version}}'], { timeout: PROBE_TIMEOUT_MS });
    return true;
  } catch {
    return false;
  }
}
