import { readFileSync } from 'node:fs';

/** For the store, logs, DNS, Kafka and what else a process opens beside its connections. */
const RESERVED_FILES = 256;

/** Returns how many files the process may have open (soft limit; Node raises it to the hard one), or null where it is unlimited or unknown. */
export function openFilesLimit(limitsText: string | null = readLimits()): number | null {
  const [, soft] = /^Max open files\s+(\d+)\s/m.exec(limitsText ?? '') ?? [];
  return soft === undefined ? null : Number(soft);
}

export interface FileNeed {
  /** Of the configuration, such as `limits.connections`. */
  field: string;
  connections: number;
  /** Files of one connection: 2 where each is joined to another one. */
  filesPerConnection: number;
  /** Files of other connections that are bounded elsewhere. */
  otherFiles?: number;
}

/**
 * Returns how many connections fit into the limit of open files, and a warning with the remedy when that is fewer than are
 * configured: a process that runs out of files can accept no connection and write no file.
 */
export function fitConnections(need: FileNeed, limit: number | null): { connections: number; warning: string | null } {
  const { field, connections, filesPerConnection, otherFiles = 0 } = need;
  const needed = connections * filesPerConnection + otherFiles + RESERVED_FILES;
  if (limit === null || needed <= limit) return { connections, warning: null };
  const fitting = Math.max(1, Math.floor((limit - otherFiles - RESERVED_FILES) / filesPerConnection));
  const warning =
    `the process may open ${limit} files, and ${field} = ${connections} needs ${needed}: it accepts ${fitting} connections. ` +
    `Raise the limit (\`ulimit -n ${needed}\`, or LimitNOFILE=${needed} of the systemd unit), or set ${field} to ${fitting}`;
  return { connections: fitting, warning };
}

function readLimits(): string | null {
  try {
    return readFileSync('/proc/self/limits', 'utf8');
  } catch {
    // Only Linux has it.
    return null;
  }
}
