import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import avro from 'avsc';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { LogRecord } from '../../platform/kafka/log-record.ts';
import type { AvroSchema } from '../../rating/decode-avro.ts';
import { NO_LATER_FIELDS } from '../../rating/flow-record.ts';
import type { SourceListener } from '../source.ts';
import { type FileProgress, type FileSourceOptions, fileSource } from './file-source.ts';

const flowSchema = new URL('../../../schemas/flow-record.avsc', import.meta.url);
const readerSchema = JSON.parse(readFileSync(flowSchema, 'utf8')) as AvroSchema;

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'file-source-'));
});
afterEach(() => {
  rmSync(directory, { recursive: true });
});

function write(name: string, content: string | Uint8Array): string {
  const path = join(directory, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
  return path;
}

function source(paths: string[], options: Partial<FileSourceOptions> = {}) {
  return fileSource({ paths, maxRecordBytes: 1000, chunkRecords: 2, readerSchema, ...options });
}

/** Writes down the calls, and each record's fields or fault. */
class Recorder implements SourceListener {
  readonly calls: string[] = [];
  readonly raw: LogRecord[] = [];
  readonly decoded: unknown[] = [];
  readonly #startOffsets: Readonly<Record<string, number>>;

  constructor(startOffsets: Readonly<Record<string, number>> = {}) {
    this.#startOffsets = startOffsets;
  }

  assign: SourceListener['assign'] = async ({ topic, partition, lane }, bounds) => {
    this.calls.push(`assign ${topic} ${partition} ${lane} ${await bounds()}`);
    return this.#startOffsets[topic] ?? 0;
  };
  deliver: SourceListener['deliver'] = async (_log, records, decode) => {
    this.calls.push(`deliver ${[...records].map(({ offset }) => offset)}`);
    for (const record of records) {
      this.raw.push(record);
      const { candidate, fault } = decode(record.value);
      this.decoded.push(fault ?? { ...candidate });
    }
  };
  flush: SourceListener['flush'] = async () => {
    this.calls.push('flush');
  };
  revoke: SourceListener['revoke'] = async () => {
    this.calls.push('revoke');
  };

  /** The topics that were assigned, in order. */
  get topics(): string[] {
    return this.calls.filter((call) => call.startsWith('assign')).map((call) => call.split(' ')[1] ?? '');
  }
}

async function run(
  paths: string[],
  options: Partial<FileSourceOptions> = {},
  recorder = new Recorder(),
): Promise<Recorder> {
  await source(paths, options).run(recorder);
  return recorder;
}

const ndjson = (...nodeIds: string[]): string => nodeIds.map((nodeId) => `${JSON.stringify({ nodeId })}\n`).join('');

describe('NDJSON', () => {
  test('hands over the records in chunks, in the order of the port', async () => {
    const path = write('flows.ndjson', ndjson('a', 'b', 'c'));
    const { calls, decoded, raw } = await run([path]);
    expect(calls).toEqual([
      expect.stringMatching(/^assign flows\.ndjson~[0-9a-f]{8} 0 files null$/),
      'deliver 0,1',
      'deliver 2',
      'flush',
      'revoke',
    ]);
    expect(decoded).toEqual([{ nodeId: 'a' }, { nodeId: 'b' }, { nodeId: 'c' }]);
    expect(raw[0]).toMatchObject({ offset: 0, timestampMs: null, key: null, value: Buffer.from('{"nodeId":"a"}') });
  });

  test('continues from the offset that it is given', async () => {
    const path = write('flows.ndjson', ndjson('a', 'b', 'c', 'd'));
    const [topic = ''] = (await run([path])).topics;
    expect((await run([path], {}, new Recorder({ [topic]: 1 }))).calls.slice(1)).toEqual([
      'deliver 1,2',
      'deliver 3',
      'flush',
      'revoke',
    ]);
    expect((await run([path], {}, new Recorder({ [topic]: 4 }))).calls.slice(1)).toEqual(['flush', 'revoke']);
  });

  test('cuts a record above the limit and says its true length', async () => {
    const path = write('flows.ndjson', ndjson('a', 'x'.repeat(2000), 'b'));
    const { raw } = await run([path]);
    expect(raw.map(({ oversizedOctets }) => oversizedOctets)).toEqual([0, 2013, 0]);
    expect(raw[1]?.value).toHaveLength(1000);
  });

  test('refuses a file that was cut after it had been booked', async () => {
    const path = write('flows.ndjson', ndjson('a', 'b'));
    const [topic = ''] = (await run([path])).topics;
    const recorder = new Recorder({ [topic]: 3 });
    await expect(run([path], {}, recorder)).rejects.toMatchObject({ code: 'source_changed', path, canRetry: false });
    expect(recorder.calls.slice(1)).toEqual(['revoke']);
  });
});

describe('CSV', () => {
  test('takes the first line as the header', async () => {
    const path = write('flows.csv', 'nodeId,uplinkOctets,zeroRatingTag\r\na,1,\r\n"b,c",2,im\r\nd,3\r\n');
    const { decoded, raw } = await run([path]);
    expect(decoded).toEqual([
      { nodeId: 'a', uplinkOctets: 1, zeroRatingTag: null },
      { nodeId: 'b,c', uplinkOctets: 2, zeroRatingTag: 'im' },
      { reason: 'malformed', detail: '2 cells, but 3 columns' },
    ]);
    expect(raw.map(({ offset }) => offset)).toEqual([0, 1, 2]);
  });

  test.each([
    ['no header', 'a,1\nb,2\n', /the first line is no header; start the file with a line of column names: nodeId,/],
    ['a column twice', 'nodeId,nodeId\na,b\n', /the header names the column nodeId twice/],
    ['a header with an open quote', '"nodeId\na\n', /the header line cannot be read/],
  ])('refuses a file with %s', async (_case, content, message) => {
    const path = write('flows.csv', content);
    await expect(run([path])).rejects.toMatchObject({
      code: 'file_unreadable',
      path,
      message: expect.stringMatching(message),
    });
  });
});

describe('Avro', () => {
  const record = { nodeId: 'a', localSequenceNumber: 1, chargingId: 2, recordSequenceNumber: 3, servedMsisdn: '999' };
  const flow = {
    ...record,
    ...{ servedImsi: null, startTime: 4, endTime: 5, terminalIp: '10.0.0.1', terminalPort: 6, remoteIp: '10.0.0.2' },
    ...{
      remotePort: 7,
      protocol: 6,
      zeroRatingTag: 'im',
      contentType: null,
      ratingGroup: null,
      serviceIdentifier: null,
    },
    ...{ uplinkOctets: 8, downlinkOctets: 9, sponsorIdentity: null, applicationServiceProviderIdentity: null },
    ...NO_LATER_FIELDS,
  };
  const syncMarker = Buffer.from('0123456789abcdef');

  /** A block for each record. */
  function container(schema: AvroSchema, records: unknown[], writer = schema): Buffer {
    const long = (value: number): Buffer => avro.Type.forSchema('long').toBuffer(value);
    const meta = { 'avro.schema': Buffer.from(JSON.stringify(schema)) };
    const parts = [
      Buffer.from('Obj\x01', 'latin1'),
      avro.Type.forSchema({ type: 'map', values: 'bytes' }).toBuffer(meta),
      syncMarker,
    ];
    for (const record of records) {
      const datum = avro.Type.forSchema(writer).toBuffer(record);
      parts.push(long(1), long(datum.length), datum, syncMarker);
    }
    return Buffer.concat(parts);
  }

  test('resolves the schema of the file to the flow record', async () => {
    const { name, namespace, fields } = readerSchema as { name: string; namespace: string; fields: object[] };
    const writerSchema = {
      type: 'record',
      name,
      namespace,
      fields: [{ name: 'apn', type: 'string' }, ...fields.toReversed()],
    };
    const path = write(
      'flows.avro',
      container(writerSchema as AvroSchema, [
        { ...flow, apn: 'ims' },
        { ...flow, apn: '' },
      ]),
    );
    expect((await run([path])).decoded).toEqual([flow, flow]);
  });

  test('a damaged block is one malformed record, even if its octets are a datum', async () => {
    const octets = container(readerSchema, [flow, flow, flow]);
    // The marker after the second of the three blocks.
    const second = octets.indexOf(syncMarker, octets.indexOf(syncMarker, octets.indexOf(syncMarker) + 1) + 1);
    octets.fill(0xff, second, second + 16);
    const path = write('flows.avro', octets);
    const fault = { reason: 'malformed', detail: expect.stringMatching(/^no sync marker after the block/) };
    expect((await run([path])).decoded).toEqual([flow, fault, flow]);
  });

  test.each([
    [
      'another record',
      { type: 'record', name: 'Call', fields: [] },
      {},
      /its records are no flow records; .* \(.*Call.*\)/,
    ],
    ['no record', 'string', 'a', /its records are no flow records/],
  ])('refuses a file of %s', async (_case, schema, record, message) => {
    const path = write('flows.avro', container(schema as AvroSchema, [record]));
    await expect(run([path])).rejects.toMatchObject({
      code: 'file_unreadable',
      path,
      message: expect.stringMatching(message),
    });
  });

  test.each(['spark-top-level-record', 'renamed-record', 'default-of-another-branch'])(
    'reads a file of fixtures/cases/avro/%s.avsc',
    async (name) => {
      const schema = JSON.parse(readFileSync(`fixtures/cases/avro/${name}.avsc`, 'utf8')) as avro.schema.RecordType;
      // avsc, which writes here, takes no default of another branch.
      const plain = { ...schema, fields: schema.fields.map(({ default: _, ...field }) => field) } as AvroSchema;
      const records = ['a', 'b'].map((nodeId) => ({ ...flow, nodeId, apn: null }));
      const { decoded } = await run([write('flows.avro', container(schema, records, plain))]);
      expect(decoded).toEqual(['a', 'b'].map((nodeId) => ({ ...flow, nodeId })));
    },
  );

  test('refuses a file that is no container', async () => {
    const path = write('flows.avro', ndjson('a'));
    const message = expect.stringContaining('does not start as an Avro object container file does');
    await expect(run([path])).rejects.toMatchObject({ code: 'file_unreadable', path, message });
  });
});

describe('the topic', () => {
  const topicOf = async (path: string): Promise<string> => (await run([path])).topics.join();

  test('stays when the file is moved, packed or has grown', async () => {
    const topic = await topicOf(write('flows.ndjson', ndjson('a', 'b')));
    expect(await topicOf(write('elsewhere/flows.ndjson', ndjson('a', 'b')))).toBe(topic);
    expect(await topicOf(write('flows.ndjson', ndjson('a', 'b', 'c')))).toBe(topic);
    expect(await topicOf(write('flows.ndjson.gz', gzipSync(ndjson('a', 'b'))))).toBe(topic);
    const padded = [gzipSync(ndjson('a')), gzipSync(ndjson('b')), Buffer.alloc(700)];
    expect(await topicOf(write('flows.ndjson.gz', Buffer.concat(padded)))).toBe(topic);
    expect(await topicOf(write('elsewhere/flows.ndjson', `\n\r\n${ndjson('a')}`))).toBe(topic);
  });

  test('does not hang on the limit for a record', async () => {
    const path = write('flows.ndjson', ndjson('x'.repeat(500)));
    expect((await run([path], { maxRecordBytes: 10 })).topics).toEqual((await run([path])).topics);
  });

  test('is another when the name or the first record is another', async () => {
    const topic = await topicOf(write('flows.ndjson', ndjson('a')));
    expect(await topicOf(write('elsewhere/flows.ndjson', ndjson('b')))).not.toBe(topic);
    expect(await topicOf(write('flows2.ndjson', ndjson('a')))).not.toBe(topic);
    const csv = await topicOf(write('flows.csv', 'nodeId\na\n'));
    expect(await topicOf(write('elsewhere/flows.csv', 'nodeId\nb\n'))).not.toBe(csv);
  });

  test('must not be that of two files: nothing is read then', async () => {
    const first = write('one/flows.ndjson', ndjson('a', 'b'));
    const second = write('two/flows.ndjson', ndjson('a', 'c'));
    const recorder = new Recorder();
    await expect(run([first, second], {}, recorder)).rejects.toMatchObject({
      code: 'same_file_twice',
      path: second,
      message: expect.stringContaining(first),
    });
    expect(recorder.calls).toEqual([]);
  });

  test('is none for a file without a record', async () => {
    const paths = [write('one/empty.ndjson', ''), write('two/empty.ndjson', '\n'), write('head.csv', 'nodeId\n')];
    const progress: FileProgress[] = [];
    expect((await run(paths, { onProgress: (step) => progress.push(step) })).calls).toEqual([]);
    expect(progress.map(({ records }) => records)).toEqual([0, 0, 0]);
  });
});

describe('the files', () => {
  test('of a directory are those of the known endings, sorted, and its directories', async () => {
    write('b.jsonl', ndjson('b'));
    write('a/z.json.gz', gzipSync(ndjson('z')));
    write('a/.hidden.ndjson', ndjson('hidden'));
    write('.hidden/y.ndjson', ndjson('hidden'));
    write('c.csv', 'nodeId\nc\n');
    write('notes.txt', 'nothing');
    symlinkSync(write('elsewhere.txt', ndjson('linked')), join(directory, 'd.ndjson'));
    const { decoded } = await run([directory]);
    expect(decoded).toEqual(['z', 'b', 'c', 'linked'].map((nodeId) => ({ nodeId })));
  });

  test('may have any name if their format is named', async () => {
    const path = write('flows.txt', ndjson('a'));
    expect((await run([path], { format: 'ndjson' })).decoded).toEqual([{ nodeId: 'a' }]);
    await expect(run([path])).rejects.toMatchObject({
      code: 'unknown_format',
      path,
      message: expect.stringContaining('.ndjson'),
    });
  });

  test.each([
    ['is missing', 'file_not_found', () => join(directory, 'missing.ndjson'), /no such file/],
    ['is a directory without flow files', 'file_not_found', () => directory, /holds no flow file/],
    ['is no regular file', 'file_unreadable', () => '/dev/null', /is no regular file/],
    ['is no gzip data', 'file_unreadable', () => write('flows.ndjson.gz', ndjson('a')), /is no gzip data or damaged/],
    [
      'is cut gzip data',
      'file_unreadable',
      () => write('f.csv.gz', gzipSync('nodeId\n').subarray(0, 12)),
      /gzip data ends early/,
    ],
  ])('are refused when one %s, before anything is read', async (_case, code, make, message) => {
    const path = make();
    const recorder = new Recorder();
    const good = write('good/good.ndjson', ndjson('a'));
    await expect(
      run(path === directory ? [mkdtempSync(join(directory, 'empty-'))] : [good, path], {}, recorder),
    ).rejects.toMatchObject({
      name: 'SourceError',
      code,
      message: expect.stringMatching(message),
    });
    expect(recorder.calls).toEqual([]);
  });
});

describe('the run', () => {
  const many = ndjson(...Array.from({ length: 50_000 }, (_, index) => `pgw-${index}`));

  test('reports its progress', async () => {
    const path = write('flows.ndjson.gz', gzipSync(many));
    const progress: FileProgress[] = [];
    await run([path], { chunkRecords: 1000, onProgress: (step) => progress.push(step) });
    const records = progress.map((step) => step.records);
    expect(records).toEqual(records.toSorted((left, right) => left - right));
    const last = progress.at(-1);
    expect(last).toEqual({ path, records: 50_000, readOctets: last?.totalOctets, totalOctets: gzipSync(many).length });
  });

  test('stops between two chunks and lets the listener finish', async () => {
    const paths = [write('a.ndjson', many), write('b.ndjson', many)];
    const stopped = source(paths);
    const recorder = new Recorder();
    const deliver = recorder.deliver;
    let stop: Promise<void> | null = null;
    recorder.deliver = async (...call) => {
      await deliver(...call);
      if (recorder.raw.length === 4) stop = stopped.stop();
    };
    await stopped.run(recorder);
    await stop;
    expect(recorder.calls.slice(1)).toEqual(['deliver 0,1', 'deliver 2,3', 'flush', 'revoke']);
  });

  test('fails as the listener fails, and gives the log back', async () => {
    const path = write('a.ndjson', many);
    const recorder = new Recorder();
    const failure = new Error('no room');
    recorder.deliver = () => Promise.reject(failure);
    await expect(run([path], {}, recorder)).rejects.toBe(failure);
    expect(recorder.calls.slice(1)).toEqual(['revoke']);
  });

  test('never hands over more before the last chunk is taken', async () => {
    const recorder = new Recorder();
    let open = 0;
    let most = 0;
    recorder.deliver = async () => {
      open += 1;
      most = Math.max(most, open);
      await new Promise(setImmediate);
      open -= 1;
    };
    await run([write('a.ndjson', many)], { chunkRecords: 10_000 }, recorder);
    expect(most).toBe(1);
  });
});
