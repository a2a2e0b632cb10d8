import type { SessionContentType } from '../protocol/content-octets.ts';
import type { ProxyRefusal } from '../protocol/refusal.ts';
import { decodeRelayMessage, isMessageOf, type RelayMessage } from '../protocol/relay-message.ts';
import type { ProxySession } from './proxy-session.ts';

export interface RefusedMessage {
  messageId?: string;
  reason: ProxyRefusal;
}

/** Whether a message may pass, in the order of PROXY_REFUSALS. One that may has used up its sequence number. */
export function checkMessage(
  frame: Buffer,
  session: ProxySession,
  { contentType, maxPayloadOctets }: { contentType: SessionContentType; maxPayloadOctets: number },
): RelayMessage | RefusedMessage {
  const message = decodeRelayMessage(frame);
  if (message === null) return { reason: 'message_invalid' };
  const { messageId, sequence } = message.header;
  if (message.payload.length > maxPayloadOctets) return { messageId, reason: 'message_too_large' };
  if (!isMessageOf(session.key, contentType, message)) return { messageId, reason: 'message_forged' };
  if (sequence <= session.messageSequence) return { messageId, reason: 'message_replayed' };
  session.messageSequence = sequence;
  return message;
}
