import type { Catalogue } from '../../../rating/catalogue.ts';
import type { DispatchDocument } from '../dispatch-config-schema.ts';

/** Returns where sessions should continue at the subscriber's cost and the network cannot distinguish them: every octet to the proxy's address is the sponsor's. */
export function atCapFaults(
  { applications, sessions }: Pick<DispatchDocument, 'applications' | 'sessions'>,
  catalogue: Pick<Catalogue, 'applications'>,
): string[] {
  return catalogue.applications.flatMap(({ id, match }) => {
    const own = applications[id]?.atCap;
    if (match !== 'ip' || (own ?? sessions.atCap) === 'stop') return [];
    const field = own === undefined ? 'sessions.atCap' : `applications.${id}.atCap`;
    return [
      `${field}: subscriber_pays needs traffic that a tag identifies, and ${id} is identified by its proxy's address alone (match: ip): set applications.${id}.atCap: stop`,
    ];
  });
}
