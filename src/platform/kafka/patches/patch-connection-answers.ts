import net, { type Socket } from 'node:net';
import tls from 'node:tls';
import type { ISocketFactoryArgs } from 'kafkajs';
import { kafkajsInternal } from './kafkajs-internals.ts';

/** The part of kafkajs's connection that takes in what a broker sends. */
interface Connection {
  socket: Pick<Socket, 'destroy'>;
  authHandlers: { onSuccess: (octets: Buffer) => void } | null;
  authExpectResponse: boolean;
  requestQueue: { fulfillRequest: (answer: { size: number; correlationId: number; payload: Buffer }) => void };
  processData(octets: Buffer): void;
}

const SIZE_OCTETS = 4;
const CORRELATION_OCTETS = 4;
/** A socket's memory, which all that it reads goes through. */
const READ_OCTETS = 2 ** 18;
/** No size that an answer can have. */
const UNREADABLE = -1;
const KEEP_ALIVE_MS = 60_000;

/**
 * kafkajs keeps an answer's pieces as they come in, and copies them together more than once at the end: a fetch has
 * thousands of them. With this an answer's octets are copied once, into memory of its size, which the records then are
 * spans of.
 */
export function patchConnectionAnswers(): void {
  const { prototype } = kafkajsInternal<{ prototype: Connection }>('network/connection.js');
  // By socket: a new connection begins with a new answer.
  const answers = new WeakMap<object, Answer>();
  prototype.processData = function (this: Connection, octets) {
    // The socket's memory is used again for what it reads next.
    if (this.authHandlers !== null && !this.authExpectResponse) {
      this.authHandlers.onSuccess(Buffer.from(octets));
      return;
    }
    let answer = answers.get(this.socket);
    if (answer === undefined) {
      answer = new Answer();
      answers.set(this.socket, answer);
    }
    for (let at = 0; at < octets.length && at !== UNREADABLE; ) {
      at = answer.take(octets, at);
      if (answer.isWhole) handOver(this, answer.release());
      else if (at === UNREADABLE)
        this.socket.destroy(new Error('what answers is no Kafka broker: see brokers and ssl'));
    }
  };
}

/** As kafkajs makes them, but that what is read without TLS goes through the same memory each time. */
export function kafkaSocket({ host, port, ssl, onConnect }: ISocketFactoryArgs): Socket {
  const socket =
    ssl === undefined || ssl === null || (ssl as unknown) === false
      ? plainSocket(host, port, onConnect)
      : tls.connect({ host, port, ...(net.isIP(host) === 0 && { servername: host }), ...ssl }, onConnect);
  socket.setKeepAlive(true, KEEP_ALIVE_MS);
  return socket;
}

function plainSocket(host: string, port: number, onConnect: () => void): Socket {
  const onread = {
    buffer: Buffer.allocUnsafeSlow(READ_OCTETS),
    callback: (count: number, memory: Uint8Array) => {
      socket.emit('data', memory.subarray(0, count));
      return true;
    },
  };
  const socket: Socket = net.connect({ host, port, onread }, onConnect);
  return socket;
}

function handOver(connection: Connection, answer: Buffer): void {
  if (connection.authHandlers !== null) {
    connection.authHandlers.onSuccess(answer);
    return;
  }
  connection.requestQueue.fulfillRequest({
    size: answer.length - SIZE_OCTETS,
    correlationId: answer.readInt32BE(SIZE_OCTETS),
    payload: answer.subarray(SIZE_OCTETS + CORRELATION_OCTETS),
  });
}

/** One answer after another, each with its size before it. */
class Answer {
  #octets: Buffer = Buffer.alloc(SIZE_OCTETS);
  #taken = 0;
  #isSizeKnown = false;

  get isWhole(): boolean {
    return this.#isSizeKnown && this.#taken === this.#octets.length;
  }

  /** Gives where in `octets` it has stopped; UNREADABLE at a size that none has. */
  take(octets: Buffer, from: number): number {
    const to = Math.min(octets.length, from + this.#octets.length - this.#taken);
    this.#octets.set(octets.subarray(from, to), this.#taken);
    this.#taken += to - from;
    const isReadable = this.#isSizeKnown || this.#taken < SIZE_OCTETS || this.#makeRoom();
    return isReadable ? to : UNREADABLE;
  }

  release(): Buffer {
    const whole = this.#octets;
    this.#octets = Buffer.alloc(SIZE_OCTETS);
    this.#taken = 0;
    this.#isSizeKnown = false;
    return whole;
  }

  #makeRoom(): boolean {
    const size = this.#octets.readInt32BE(0);
    if (size < CORRELATION_OCTETS) return false;
    const whole = Buffer.allocUnsafeSlow(SIZE_OCTETS + size);
    this.#octets.copy(whole);
    this.#octets = whole;
    this.#isSizeKnown = true;
    return true;
  }
}
