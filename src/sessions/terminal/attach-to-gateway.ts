import * as z from 'zod';
import { type DatagramDial, gatewayDatagrams } from './datagrams.ts';
import { type Dial, socksDial } from './terminal-dial.ts';

const bearerSchema = z.object({
  bearerId: z.string().min(1),
  terminalIp: z.string().min(1),
  identityAssertion: z.string().min(1),
  socksUrl: z.url(),
});

export interface Attachment {
  /** Through the bearer. */
  dial: Dial;
  /** Datagrams, through the bearer too. */
  datagrams: DatagramDial;
  /** A fresh one each time. */
  identityAssertion: () => Promise<string>;
  terminalIp: string;
  /** Breaks what is open. */
  detach(): Promise<void>;
}

export interface GatewayAddress {
  /** Control interface: `http://host:port`. */
  controlUrl: string;
  /** The operator's secret. */
  secret: string;
  msisdn: string;
  imsi?: string;
}

/** The gateway simulator does not answer, or refuses what it was asked for. */
class GatewayError extends Error {
  override readonly name = 'GatewayError';
  readonly code: 'gateway_refused' | 'gateway_unreachable';
  readonly canRetry = true;

  constructor(code: GatewayError['code'], message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}

/** Makes a bearer at a gateway simulator. Rejects with a GatewayError. */
export async function attachToGateway({ controlUrl, secret, msisdn, imsi }: GatewayAddress): Promise<Attachment> {
  const ask = async (path: string, method: string, body?: object): Promise<Response> => {
    const response = await fetch(`${controlUrl}${path}`, {
      method,
      headers: { authorization: `Bearer ${secret}`, ...(body !== undefined && { 'content-type': 'application/json' }) },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    }).catch((cause: Error) => {
      const why = (cause.cause as Error | undefined)?.message ?? cause.message;
      throw new GatewayError('gateway_unreachable', `no gateway answers at ${controlUrl}: ${why}`, cause);
    });
    if (!response.ok)
      throw new GatewayError(
        'gateway_refused',
        `the gateway answers ${method} ${path} with ${response.status}: ${await response.text()}`,
      );
    return response;
  };
  const created = await ask('/v1/bearers', 'POST', { msisdn, ...(imsi !== undefined && { imsi }) });
  const { bearerId, terminalIp, socksUrl } = bearerSchema.parse(await created.json());
  const path = `/v1/bearers/${bearerId}`;
  const { hostname, port } = new URL(socksUrl);
  return {
    dial: socksDial({ host: hostname, port: Number(port) }, bearerId),
    datagrams: gatewayDatagrams({ host: hostname, port: Number(port) }, bearerId),
    identityAssertion: async () => bearerSchema.parse(await (await ask(path, 'GET')).json()).identityAssertion,
    terminalIp,
    detach: async () => void (await ask(path, 'DELETE')),
  };
}
