import { createRequire } from 'node:module';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { patchConnectionAnswers } from './patch-connection-answers.ts';

const { prototype } = createRequire(import.meta.url)('kafkajs/src/network/connection.js');
const kafkajsTakes = prototype.processData;
patchConnectionAnswers();
const zerorateTakes = prototype.processData;

interface Heard {
  size: number;
  correlationId: number;
  payload: string;
}

/** As much of a connection as takes in octets. */
function connection() {
  const [heard, authenticated, faults]: [Heard[], string[], string[]] = [[], [], []];
  const fulfillRequest = ({ size, correlationId, payload }: Omit<Heard, 'payload'> & { payload: Buffer }) =>
    void heard.push({ size, correlationId, payload: payload.toString('hex') });
  return {
    heard,
    authenticated,
    faults,
    socket: { destroy: (error: Error) => void faults.push(error.message) },
    chunks: [],
    bytesBuffered: 0,
    bytesNeeded: 4,
    authHandlers: null as object | null,
    authExpectResponse: false,
    requestQueue: { fulfillRequest },
  };
}

const answer = (payload: Uint8Array, correlationId: number) => {
  const octets = Buffer.alloc(8 + payload.length);
  octets.writeInt32BE(4 + payload.length, 0);
  octets.writeInt32BE(correlationId, 4);
  octets.set(payload, 8);
  return octets;
};

test('answers are what kafkajs takes them for, however they are cut', () => {
  const payloads = fc.array(fc.uint8Array({ maxLength: 60 }), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(payloads, fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }), (parts, cuts) => {
      const octets = Buffer.concat(parts.map((payload, index) => answer(payload, index * 7)));
      const [theirs, ours] = [connection(), connection()];
      // A socket reads into the same memory each time.
      const memory = Buffer.alloc(40);
      for (let at = 0, turn = 0; at < octets.length; turn++) {
        const piece = octets.subarray(at, at + cuts[turn % cuts.length]);
        at += piece.length;
        kafkajsTakes.call(theirs, piece);
        piece.copy(memory);
        zerorateTakes.call(ours, memory.subarray(0, piece.length));
        memory.fill(0xee);
      }
      expect(ours.heard).toEqual(theirs.heard);
      expect(ours.heard.length).toBe(parts.length);
    }),
    { numRuns: 500 },
  );
});

test('while a client says who it is, the answers are its own', () => {
  const ours = connection();
  ours.authHandlers = { onSuccess: (octets: Buffer) => void ours.authenticated.push(octets.toString('hex')) };
  zerorateTakes.call(ours, Buffer.from('abc'));
  ours.authExpectResponse = true;
  const whole = answer(Buffer.from('ok'), 3);
  zerorateTakes.call(ours, whole.subarray(0, 5));
  zerorateTakes.call(ours, whole.subarray(5));
  expect(ours.authenticated).toEqual([Buffer.from('abc').toString('hex'), whole.toString('hex')]);
  expect(ours.heard).toEqual([]);
});

test('what no broker would answer ends the connection', () => {
  const ours = connection();
  zerorateTakes.call(ours, Buffer.from([0xff, 0xff, 0, 0, 1, 2]));
  expect(ours.faults).toEqual(['what answers is no Kafka broker: see brokers and ssl']);
});
