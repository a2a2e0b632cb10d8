import { figure } from '../results.ts';
import { range, type Spread } from '../spread.ts';

/** One way to move octets, over all rounds. */
export interface Moved {
  name: string;
  mibPerSecond: Spread;
  cpuSecondsPerGib: Spread;
  /** Throughput beside the bare relay's of the same round. */
  ratio: Spread;
}

export interface Load {
  sessions: number;
  octets: number;
  seconds: number;
  /** What the reports say is what the clients counted. */
  isExact: boolean;
}

export function markdown(caption: string, moved: readonly Moved[], load: Load): string {
  return [
    '# The proxy server beside a bare relay',
    '',
    caption,
    '',
    '| way | MiB/s | beside the bare relay | CPU seconds per GiB |',
    '|---|--:|--:|--:|',
    ...moved.map(
      ({ name, mibPerSecond, ratio, cpuSecondsPerGib }) =>
        `| ${name} | ${range(mibPerSecond)} | ${range(ratio, 2)} | ${range(cpuSecondsPerGib, 2)} |`,
    ),
    '',
    `${figure(load.sessions)} sessions at once on one proxy, each a tunnel that is open until all have moved their octets: ` +
      `${figure(load.octets)} octets in ${load.seconds.toFixed(1)} s, reported ${load.isExact ? 'to the octet' : 'WRONG'}.`,
  ].join('\n');
}
