import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { sampledExporters } from './sampled-exporters.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'zerorate-goflow2-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const flow = (fields: object) => JSON.stringify({ type: 'IPFIX', sampler_address: '192.0.2.1', ...fields });

async function found(...files: string[][]): Promise<string[]> {
  const paths = files.map((lines, i) => {
    const path = join(folder, `${i}.json${i % 2 === 1 ? '.gz' : ''}`);
    const text = Buffer.from(lines.join('\n'));
    writeFileSync(path, i % 2 === 1 ? gzipSync(text) : text);
    return path;
  });
  return [...(await sampledExporters(paths)())].sort();
}

test.each([[1000], ['1000'], ['1e3'], ['1:1000'], [2], ['10'], [0.5], [-1], [[100]], [true]])(
  'a rate of %j anywhere in the files says that the exporter samples',
  async (sampling_rate) => {
    const plain = flow({ sampling_rate: 0, observation_domain_id: 5 });
    const announced = flow({ sampling_rate, observation_domain_id: 5 });
    expect(await found([plain], ['no JSON', plain, announced])).toEqual(['192.0.2.1/5']);
  },
);

test('in any notation of JSON', async () => {
  expect(await found(['{"sampler_address" : "192.0.2.3","type":"IPFIX","sampling_rate" :\t1e3}'])).toEqual([
    '192.0.2.3',
  ]);
});

test.each([[0], [1], ['0'], ['1'], [null], [undefined]])('a rate of %j does not', async (sampling_rate) => {
  expect(await found([flow({ sampling_rate }), flow({ sampling_rate, last: 1 })])).toEqual([]);
});

test('nor does the rate of another protocol, domain or exporter', async () => {
  const lines = [
    flow({ sampling_rate: 100, type: 'SFLOW_5' }),
    flow({ sampling_rate: 0 }),
    flow({ sampling_rate: 100, observation_domain_id: '7' }),
    flow({ sampling_rate: 100, sampler_address: '192.0.2.2', type: 'NETFLOW_V5' }),
  ];
  expect(await found(lines)).toEqual(['192.0.2.1/7', '192.0.2.2']);
});

test('a file that cannot be read is named', async () => {
  const path = join(folder, 'none.json');
  await expect(sampledExporters([path])()).rejects.toThrow(path);
});
