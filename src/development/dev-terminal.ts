import type { SessionContentType } from '../sessions/protocol/content-octets.ts';
import { type Attachment, attachToGateway } from '../sessions/terminal/attach-to-gateway.ts';
import { describeDelivery, describeEvent } from '../sessions/terminal/describe.ts';
import type { PathKind, PathOctets } from '../sessions/terminal/octet-ledger.ts';
import { Terminal, type TerminalStatus } from '../sessions/terminal/terminal.ts';
import type { Delivery } from '../sessions/terminal/terminal-event.ts';
import type { StatisticsRow } from '../sessions/terminal/usage-statistics.ts';

const SHOWN_LINES = 12;
const ASK_AGAIN_AFTER_MS = 5000;
const LISTENED_TO: readonly SessionContentType[] = ['text', 'image'];

export interface DevTerminalOptions {
  account: string;
  msisdn: string;
  applicationId: string;
  gateway: { controlUrl: string; secret: string };
  dispatchUrl: string;
  messageUrl: string;
  mediaUrl: string;
}

/** A message or file as the page shows it. */
export interface ShownMessage {
  atMs: number;
  direction: 'sent' | 'received';
  /** The other terminal's account, or the media host. */
  peer: string;
  contentType: SessionContentType;
  text: string;
  /** Of what was sent: by which way. */
  delivery?: string;
}

export interface TerminalState {
  account: string;
  msisdn: string;
  address: string;
  status: TerminalStatus;
  octets: Record<PathKind, PathOctets>;
  statistics: StatisticsRow[];
  messages: ShownMessage[];
  events: { atMs: number; text: string }[];
}

/** One of the page's terminals, with what it has seen lately. */
export class DevTerminal {
  readonly account: string;
  readonly msisdn: string;
  readonly #options: DevTerminalOptions;
  readonly #messages: ShownMessage[] = [];
  readonly #events: TerminalState['events'] = [];
  #attachment: Attachment | null = null;
  #terminal: Terminal | null = null;

  constructor(options: DevTerminalOptions) {
    this.account = options.account;
    this.msisdn = options.msisdn;
    this.#options = options;
  }

  async start(): Promise<void> {
    const { account, msisdn, applicationId, gateway, dispatchUrl, messageUrl } = this.#options;
    const attachment = await attachToGateway({ ...gateway, msisdn });
    const terminal = new Terminal({
      ...{ msisdn, applicationId, dispatchUrl },
      identityAssertion: attachment.identityAssertion,
      applicationAccount: account,
      directRelayUrl: messageUrl,
      dial: attachment.dial,
      askAgainAfterMs: ASK_AGAIN_AFTER_MS,
      // How much is left is shown beside.
      onEvent: (event) =>
        event.type === 'quota' || keepLast(this.#events, { atMs: Date.now(), text: describeEvent(event) }),
      onMessage: ({ from, contentType, payload, name }) => {
        const text = contentType === 'text' ? payload.toString() : `${name ?? 'file'}, ${payload.length} octets`;
        keepLast(this.#messages, { atMs: Date.now(), direction: 'received', peer: from, contentType, text });
      },
    });
    this.#attachment = attachment;
    this.#terminal = terminal;
    await terminal.start(LISTENED_TO);
  }

  async stop(): Promise<void> {
    await this.#terminal?.stop();
    await this.#attachment?.detach();
  }

  /** Sends a text to the other terminal. */
  async sendText(to: string, text: string): Promise<Delivery> {
    const delivery = await this.#started().sendText(to, text);
    return this.#sent({ peer: to, contentType: 'text', text, delivery });
  }

  /** Sends a file as a message to the other terminal. */
  async sendFile(to: string, name: string, body: Buffer): Promise<Delivery> {
    const delivery = await this.#started().send('image', to, body, name);
    return this.#sent({ peer: to, contentType: 'image', text: `${name}, ${body.length} octets`, delivery });
  }

  /** Uploads a file of so many octets to the application's media host. */
  async upload(octets: number): Promise<Delivery> {
    const url = new URL('/upload', this.#options.mediaUrl);
    const { delivery } = await this.#started().upload(url, 'image', Buffer.alloc(octets, 7));
    return this.#sent({ peer: 'media host', contentType: 'image', text: `upload of ${octets} octets`, delivery });
  }

  state(): TerminalState {
    const terminal = this.#started();
    return {
      account: this.account,
      msisdn: this.msisdn,
      address: this.#attachment?.terminalIp ?? '',
      status: terminal.status,
      octets: terminal.octets(),
      statistics: terminal.statistics(),
      messages: [...this.#messages].reverse(),
      events: [...this.#events].reverse(),
    };
  }

  #sent({ delivery, ...message }: Omit<ShownMessage, 'atMs' | 'direction' | 'delivery'> & { delivery: Delivery }) {
    keepLast(this.#messages, {
      ...{ atMs: Date.now(), direction: 'sent', ...message },
      delivery: describeDelivery(delivery),
    });
    return delivery;
  }

  #started(): Terminal {
    if (this.#terminal === null) throw new Error(`the terminal of ${this.account} has not started`);
    return this.#terminal;
  }
}

function keepLast<T>(list: T[], item: T): void {
  list.push(item);
  if (list.length > SHOWN_LINES) list.shift();
}
