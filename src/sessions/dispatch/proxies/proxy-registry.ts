import type { PeerSecret } from '../../../platform/http/peer-secret.ts';
import type { Heartbeat, ProxyEndpoints } from '../../protocol/dispatch-messages.ts';
import { REGISTRATION_REFUSALS, type RegistrationRefusal } from '../../protocol/refusal.ts';
import type { ProxyStatus } from './pick-proxy.ts';

/** What the configuration says of a proxy: how it proves who it is, and all that it may be registered with. */
export interface ProxyPin {
  secret: PeerSecret;
  /** Null: it proves itself by the secret. Else by this certificate alone. */
  clientCertificate: CertificatePin | null;
  /** The one address that the dispatch server calls it at. */
  controlUrl: string;
  endpoints: ProxyEndpoints;
  applicationIds: readonly string[];
}

interface CertificatePin {
  /** SHA-256 of the certificate, hex with or without colons. */
  fingerprint256?: string | undefined;
  /** Distinguished name, such as `CN=proxy-1,O=carrier`, the order of its parts being the same or not. */
  subject?: string | undefined;
}

/** A client certificate that the own authority has issued. */
interface ClientCertificate {
  fingerprint256: string;
  subject: string;
}

/** What a call proves itself with. */
export interface Credentials {
  secret: string | undefined;
  certificate: ClientCertificate | null;
}

export interface RegistrationRefused {
  reason: RegistrationRefusal;
  message: string;
}

/** The configured proxies, by their last signs of life. Those are not kept: a proxy gives the next one within seconds. */
export class ProxyRegistry {
  readonly #pins: ReadonlyMap<string, ProxyPin>;
  readonly #statuses = new Map<string, ProxyStatus>();
  readonly #startedAtMs: number;

  constructor(pins: ReadonlyMap<string, ProxyPin>, startedAtMs: number) {
    this.#pins = pins;
    this.#startedAtMs = startedAtMs;
  }

  /** The id of the one proxy that has these credentials; null where there is none. All are compared, whichever it is. */
  identify(credentials: Credentials): string | null {
    const found = [...this.#pins].filter(([, pin]) => hasCredentials(pin, credentials));
    return found.length === 1 ? found[0][0] : null;
  }

  /** Null when the sign of life has nothing but what the configuration says of the proxy; else it counts as none. */
  heard(proxyId: string, heartbeat: Heartbeat, { nowMs, clockSkewMs }: HeardAt): RegistrationRefused | null {
    const pin = this.#pins.get(proxyId);
    if (pin === undefined) return refusedFor('token_invalid');
    const refused = mismatchOf(pin, heartbeat);
    if (refused !== null) return refused;
    this.#statuses.set(proxyId, { ...heartbeat, proxyId, heardAtMs: nowMs, givenSessions: 0, clockSkewMs });
    return null;
  }

  /** A session was given to it: its next sign of life will say so itself. */
  given(proxyId: string): void {
    const status = this.#statuses.get(proxyId);
    if (status !== undefined) status.givenSessions += 1;
  }

  all(): Iterable<ProxyStatus> {
    return this.#statuses.values();
  }

  get(proxyId: string): ProxyStatus | undefined {
    return this.#statuses.get(proxyId);
  }

  isKnown(proxyId: string): boolean {
    return this.#pins.has(proxyId);
  }

  /** Of one that was not heard since this process started: then. */
  heardAtMs(proxyId: string): number {
    return this.#statuses.get(proxyId)?.heardAtMs ?? this.#startedAtMs;
  }
}

export interface HeardAt {
  nowMs: number;
  clockSkewMs: number;
}

export function refusedFor(reason: RegistrationRefusal, detail?: string): RegistrationRefused {
  const message = REGISTRATION_REFUSALS[reason];
  return { reason, message: detail === undefined ? message : `${message}: ${detail}` };
}

function hasCredentials({ secret, clientCertificate }: ProxyPin, given: Credentials): boolean {
  const isSecret = secret.matches(given.secret);
  return clientCertificate === null ? isSecret : isPinned(clientCertificate, given.certificate);
}

function isPinned({ fingerprint256, subject }: CertificatePin, certificate: ClientCertificate | null): boolean {
  if (certificate === null || (fingerprint256 === undefined && subject === undefined)) return false;
  const hex = (text: string) => text.replaceAll(':', '').toLowerCase();
  const isFingerprint = fingerprint256 === undefined || hex(fingerprint256) === hex(certificate.fingerprint256);
  const isSubject = subject === undefined || nameParts(subject) === nameParts(certificate.subject);
  return isFingerprint && isSubject;
}

/** The parts of a distinguished name in one order and form, whether lines or commas are between them. */
function nameParts(name: string): string {
  const parts = name.split(/\n|,(?=\s*[A-Za-z.\d]+\s*=)/).map((part) => part.trim().replace(/\s*=\s*/, '='));
  return parts
    .filter((part) => part !== '')
    .sort()
    .join('\n');
}

function mismatchOf(pin: ProxyPin, { controlUrl, endpoints, applicationIds }: Heartbeat): RegistrationRefused | null {
  if (!isSameUrl(controlUrl, pin.controlUrl)) {
    return refusedFor('control_url_not_pinned', `it says ${controlUrl}, the configuration ${pin.controlUrl}`);
  }
  for (const name of ['connect', 'socks5', 'relay'] as const) {
    if (isSameUrl(endpoints[name], pin.endpoints[name])) continue;
    const detail = `${name}: it says ${endpoints[name]}, the configuration ${pin.endpoints[name]}`;
    return refusedFor('endpoint_not_pinned', detail);
  }
  const foreign = applicationIds.find((id) => !pin.applicationIds.includes(id));
  return foreign === undefined ? null : refusedFor('application_not_pinned', foreign);
}

function isSameUrl(one: string, other: string): boolean {
  const form = (url: string) => new URL(url).href.replace(/\/$/, '');
  return form(one) === form(other);
}
