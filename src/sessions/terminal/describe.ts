import { grouped } from '../../platform/telemetry/terminal-output.ts';
import { printable } from './printable.ts';
import type { TerminalStatus } from './terminal.ts';
import type { Delivery, ReceivedMessage, TerminalEvent } from './terminal-event.ts';

const UNITS = ['KiB', 'MiB', 'GiB', 'TiB'];

/** Octets as people read them, with the exact number: `9.80 MiB (10 272 646 octets)`. */
export function describeOctets(octets: number): string {
  if (octets < 1024) return `${octets} octets`;
  let value = octets / 1024;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${value.toFixed(2)} ${UNITS[unit]} (${grouped(octets)} octets)`;
}

/** What is left of the quota; null: there is none. */
function describeQuota(remainingOctets: number | null): string {
  return remainingOctets === null ? 'no limit' : `${describeOctets(remainingOctets)} left of the quota`;
}

export function describeStatus({
  proxyId,
  reason,
  sponsoredOctetsCap,
  usedSponsoredOctets,
  remainingOctets,
}: TerminalStatus): string {
  if (proxyId === null) return `no session: ${printable(reason ?? 'none was asked for')}`;
  const used = `${describeOctets(usedSponsoredOctets)} of ${describeOctets(sponsoredOctetsCap)} used`;
  return `session at ${printable(proxyId)}: ${used}; ${describeQuota(remainingOctets)}`;
}

/** By which way, and why not by the proxy. */
export function describeDelivery(delivery: Delivery): string {
  if (delivery.via === 'proxy') return 'sent, sponsored';
  return delivery.via === 'direct'
    ? `sent direct, not sponsored: ${printable(delivery.reason)}`
    : `not sent: ${printable(delivery.reason)}`;
}

/** One line, without control characters of peers. */
export function describeEvent(event: TerminalEvent): string {
  switch (event.type) {
    case 'session':
      return `session at ${printable(event.proxyId)}: up to ${describeOctets(event.sponsoredOctetsCap)}; ${describeQuota(event.remainingOctets)}`;
    case 'renewed':
      return `session renewed: up to ${describeOctets(event.sponsoredOctetsCap)}; ${describeQuota(event.remainingOctets)}`;
    case 'renewal_refused':
      return `renewal refused: ${printable(event.reason)} (${printable(event.message)})`;
    case 'refused':
      return `no session: ${printable(event.reason)} (${printable(event.message)}); what follows goes direct, at the subscriber's cost`;
    case 'quota':
      return `used ${describeOctets(event.usedSponsoredOctets)} of ${describeOctets(event.sponsoredOctetsCap)}; ${describeQuota(event.remainingOctets)}`;
    case 'session_lost':
      return `session ended: ${printable(event.reason)}`;
    case 'direct':
      return `${event.contentType} goes direct, at the subscriber's cost: ${printable(event.reason)}`;
    case 'idle_prompt':
      return event.isAnswered
        ? 'idle prompt answered: the session continues'
        : 'idle prompt not answered: the session ends; sending something starts another';
  }
}

/** One line, without control characters of the sender. */
export function describeMessage({ contentType, from, name, payload }: ReceivedMessage): string {
  if (contentType === 'text') return `${printable(from)}: ${printable(payload.toString())}`;
  return `${printable(from)}: ${contentType}${name === undefined ? '' : ` ${printable(name)}`}, ${describeOctets(payload.length)}`;
}
