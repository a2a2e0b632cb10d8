import type { Clock } from '../../../platform/clock.ts';
import type { Admission, Admitted, NotAdmitted } from '../admission.ts';
import type { MarkedFlow } from '../flow-marks.ts';
import type { UdpLimits } from '../proxy-config-schema.ts';
import type { ConnectionServices } from '../proxy-tunnel.ts';
import type { DatagramDrop } from './datagram-drops.ts';
import type { UdpDestination } from './udp-destinations.ts';

/** The removal of a mark that the gateway has not taken is retried for so long. */
const OWED_FOR_MS = 600_000;

export interface AssociationServices extends ConnectionServices {
  admission: Admission;
  udp: UdpLimits;
  drop(reason: DatagramDrop): void;
  logRefusal(refusal: NotAdmitted): void;
}

export interface AssociationOptions {
  services: AssociationServices;
  /** Port that the client says it sends from; 0: it does not say. */
  expectedPort: number;
  /** What the control connection's session tag admits; null without one. */
  tag: { admitted: Admitted; text: string } | null;
  leave: () => void;
}

/** A datagram on its way. */
export interface Held {
  octets: Buffer;
  /** Null: to the terminal. */
  to: UdpDestination | null;
}

interface Place {
  address: string;
  port: number;
}

/** Returns the flow of datagrams between terminal and proxy, as the network sees it. It has no end of its own. */
export function flowOfDatagrams(
  { local, remote }: { local: Place; remote: Place },
  clock: Clock,
  endedAtMs: () => number | null,
): MarkedFlow {
  return {
    ...{ protocol: 17, localAddress: local.address, localPort: local.port },
    ...{ remoteAddress: remote.address, remotePort: remote.port },
    get destroyed() {
      const sinceMs = endedAtMs();
      return sinceMs !== null && clock.monotonicMs() - sinceMs > OWED_FOR_MS;
    },
  };
}
