import fc from 'fast-check';
import { expect, test } from 'vitest';
import { anyQuotaUpdate, QUOTA_UPDATE_SCHEMA, quotaUpdate } from '../journal/quota-update.fixture.ts';
import { quotaUpdateCodec } from './quota-updates.ts';

test('what was encoded is decoded, with a header and without', () => {
  fc.assert(
    fc.property(anyQuotaUpdate, fc.option(fc.nat(), { nil: undefined }), (update, schemaId) => {
      const { encode, decode } = quotaUpdateCodec(QUOTA_UPDATE_SCHEMA, schemaId);
      expect(decode(encode(update))).toEqual(update);
    }),
  );
});

test('the header is octet 0 and the schema id, big-endian', () => {
  const bare = quotaUpdateCodec(QUOTA_UPDATE_SCHEMA).encode(quotaUpdate());
  const headed = quotaUpdateCodec(QUOTA_UPDATE_SCHEMA, 0x01020304).encode(quotaUpdate());
  expect(headed).toEqual(Buffer.concat([Buffer.from([0, 1, 2, 3, 4]), bare]));
});

test('refuses what is no update, or another schema’s', () => {
  const bytes = quotaUpdateCodec(QUOTA_UPDATE_SCHEMA, 5).encode(quotaUpdate());
  expect(() => quotaUpdateCodec(QUOTA_UPDATE_SCHEMA, 6).decode(bytes)).toThrow('no header of schema 6');
  expect(() => quotaUpdateCodec(QUOTA_UPDATE_SCHEMA, 5).decode(bytes.subarray(0, -1))).toThrow();
  expect(() => quotaUpdateCodec(QUOTA_UPDATE_SCHEMA).encode(quotaUpdate({ usedOctets: 0.5 }))).toThrow('0.5');
});
