import { describe, expect, test } from 'vitest';
import { inspectStatement } from './inspect-statement.ts';

describe('questions pass, with the format that they name', () => {
  test.each([
    ['SELECT 1', null],
    ['SELECT 1 FORMAT JSON', 'JSON'],
    ['SELECT 1 FORMAT JSON SETTINGS max_threads = 1', 'JSON'],
    ['SELECT 1 SETTINGS max_threads = 1 FORMAT CSV', 'CSV'],
    ["SELECT 'INTO OUTFILE', 'file(', file AS `file` FROM (SELECT 1 AS file)", null],
    ['SELECT format FROM t', null],
    ["WITH a AS (SELECT 'it\\'s' AS b) SELECT * FROM a", null],
    ['(SELECT 1) UNION ALL (SELECT 2)', null],
    ['SHOW TABLES', null],
    ['DESCRIBE TABLE journal', null],
    ['EXISTS TABLE journal', null],
    ['EXPLAIN indexes = 1 SELECT 1', null],
  ])('%s', (sql, format) => {
    expect(inspectStatement(sql)).toEqual({ sql, format });
  });
});

describe('what is no question, or reaches beyond the store, is refused', () => {
  test.each([
    ['INSERT INTO t SELECT 1', 'READONLY'],
    ['SET readonly = 0', 'READONLY'],
    ['KILL QUERY WHERE 1', 'READONLY'],
    ['SYSTEM FLUSH LOGS', 'READONLY'],
    ['', 'READONLY'],
    ["SELECT 1 INTO OUTFILE '/tmp/x' TRUNCATE", 'NOT_IMPLEMENTED'],
    ["select 1 into outfile '/tmp/x'", 'NOT_IMPLEMENTED'],
    ["SELECT file('/etc/passwd')", 'ACCESS_DENIED'],
    ["SELECT `file`('/etc/passwd')", 'ACCESS_DENIED'],
    ['SELECT "file"(\'/etc/passwd\')', 'ACCESS_DENIED'],
    ["SELECT arrayMap(x -> file(x), ['/etc/passwd'])", 'ACCESS_DENIED'],
    ["SELECT * APPLY file FROM (SELECT '/etc/passwd')", 'ACCESS_DENIED'],
    ["SELECT * APPLY(file) FROM (SELECT '/etc/passwd')", 'ACCESS_DENIED'],
    ["EXPLAIN SYNTAX SELECT file('/etc/passwd')", 'ACCESS_DENIED'],
    ["SELECT '\\\\', file('/etc/passwd')", 'ACCESS_DENIED'],
  ])('%s', (sql, name) => {
    expect(() => inspectStatement(sql)).toThrow(`(${name})`);
  });
});
