import { expect, test } from 'vitest';
import { readFromFile } from './staged-insert.ts';

test.each([
  [
    "INSERT INTO t SELECT a FROM input('a UInt64') SETTINGS max_threads=1 FORMAT Native",
    "INSERT INTO t SELECT a FROM file('/f', Native, 'a UInt64') SETTINGS max_threads=1",
  ],
  [
    "INSERT INTO t SELECT e FROM INPUT ( 'e Enum8(\\'x\\' = 1)' )\nFORMAT Native;",
    "INSERT INTO t SELECT e FROM file('/f', Native, 'e Enum8(\\'x\\' = 1)')",
  ],
  ['INSERT INTO t (a, b) FORMAT CSV', "INSERT INTO t (a, b) FROM INFILE '/f' COMPRESSION 'none' FORMAT CSV"],
  [
    "INSERT INTO t\nSETTINGS insert_deduplication_token='$1' FORMAT CSV\n",
    "INSERT INTO t FROM INFILE '/f' COMPRESSION 'none'\nSETTINGS insert_deduplication_token='$1' FORMAT CSV",
  ],
  ['INSERT INTO t VALUES', null],
  ['SELECT 1 FORMAT CSV', null],
])('%j reads its data from a file', (sql, staged) => {
  expect(readFromFile(sql, '/f')).toBe(staged);
});
