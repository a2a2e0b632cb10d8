import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { PeerSecret } from '../../platform/http/peer-secret.ts';
import { createLogger } from '../../platform/telemetry/logger.ts';
import type { FlowMark } from '../protocol/flow-mark.ts';
import { FlowMarks, type MarkedFlow } from './flow-marks.ts';

const TAG = 'chatter';
let taken: FlowMark[] = [];
let answer: (mark: FlowMark) => number | Promise<number>;
let said: object | null = null;
let breaksOff = false;
const gateway = createServer((request, response) => void take(request, response));
let marks: FlowMarks;

async function take(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const body = JSON.parse(Buffer.concat(await request.toArray()).toString()) as { marks: FlowMark[] };
  response.statusCode = await answer(body.marks[0]);
  if (response.statusCode < 300) taken.push(...body.marks);
  if (breaksOff)
    response.writeHead(response.statusCode, { 'content-length': 100 }).write('{', () => response.destroy());
  else response.end(said === null ? '' : JSON.stringify(said));
}

const flow = (remotePort: number): MarkedFlow => ({
  ...{ localAddress: '127.0.0.1', localPort: 1080, remoteAddress: '127.0.0.2', remotePort },
  destroyed: false,
});
const shown = () => taken.map(({ terminalPort, zeroRatingTag }) => [terminalPort, zeroRatingTag]);

beforeEach(async () => {
  taken = [];
  said = null;
  breaksOff = false;
  answer = () => 204;
  await new Promise<void>((resolve) => gateway.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(gateway.address() as AddressInfo).port}`;
  const logger = createLogger({ level: 'silent', format: 'json' });
  marks = new FlowMarks({ gateway: { url, timeoutMs: 5000 }, secret: PeerSecret.of('secret-0123456789'), logger });
});
afterEach(() => {
  gateway.closeAllConnections();
  return new Promise((resolve) => gateway.close(resolve));
});

test('after a stop no answer is waited for', async () => {
  answer = () => new Promise(() => {});
  const marking = marks.mark(flow(1), TAG, 'text');
  await new Promise((resolve) => gateway.once('request', resolve));
  marks.stop();
  expect(await marking).toBe('away');
  expect(await marks.mark(flow(2), TAG, 'text')).toBe('away');
});

test.each([
  ['nothing', null, 'taken'],
  ['that the records have it', { ended: [], unknown: [] }, 'marked'],
  ['that the terminal has left', { ended: [0], unknown: [] }, 'ended'],
  ['that the flow did not pass', { ended: [], unknown: [0] }, 'taken'],
  ['something else', { accepted: 1 }, 'taken'],
  ['of marks that it was not asked for', { ended: [5], unknown: [] }, 'taken'],
  ['more than is read', { ended: [0], unknown: [], page: 'x'.repeat(100_000) }, 'taken'],
])('a gateway that says %s', async (_, words, outcome) => {
  said = words;
  answer = () => 200;
  expect(await marks.mark(flow(1), TAG, 'text')).toBe(outcome);
  expect(marks.failed).toBe(0);
});

test.each([
  [200, 'taken'],
  [403, 'refused'],
  [503, 'away'],
])('a gateway whose answer %i breaks off has said what counts', async (status, outcome) => {
  breaksOff = true;
  answer = () => status;
  expect(await marks.mark(flow(1), TAG, 'text')).toBe(outcome);
});

describe('marks that are to be taken away again', () => {
  test('one that the gateway refuses holds up no other', async () => {
    answer = () => 503;
    for (const port of [1, 2, 3]) await marks.mark(flow(port), null, 'text');
    answer = ({ terminalPort }) => (terminalPort === 1 ? 403 : 204);
    await marks.retry();
    expect(shown()).toEqual([
      [2, null],
      [3, null],
    ]);
  });

  test('a gateway that is away or busy is asked once in a turn', async () => {
    let asked = 0;
    for (const status of [503, 429]) {
      answer = () => 503;
      for (const port of [1, 2, 3]) await marks.mark(flow(port), null, 'text');
      asked = 0;
      answer = () => {
        asked++;
        return status;
      };
      await marks.retry();
      expect(asked).toBe(1);
    }
  });

  test('a flow that was marked again while others were asked for keeps its mark', async () => {
    const [first, second] = [flow(1), flow(2)];
    answer = () => 503;
    await marks.mark(first, null, 'text');
    await marks.mark(second, null, 'text');
    answer = async ({ terminalPort }) => {
      if (terminalPort === 1) await marks.mark(second, TAG, 'text');
      return 204;
    };
    await marks.retry();
    expect(shown()).toEqual([
      [2, TAG],
      [1, null],
    ]);
  });

  test('a flow that is marked again while it is asked for has its mark last', async () => {
    const one = flow(1);
    answer = () => 503;
    await marks.mark(one, null, 'text');
    let marking: Promise<unknown> | null = null;
    answer = async ({ zeroRatingTag }) => {
      if (zeroRatingTag === null) {
        marking = marks.mark(one, TAG, 'text');
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      return 204;
    };
    await marks.retry();
    await marking;
    expect(shown()).toEqual([
      [1, null],
      [1, TAG],
    ]);
  });
});
