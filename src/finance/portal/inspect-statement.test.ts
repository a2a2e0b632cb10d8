import { describe, expect, test } from 'vitest';
import { inspectStatement } from './inspect-statement.ts';

describe('queries pass, without the clause of the format that they name', () => {
  test.each<[string, string | null, string?]>([
    ['SELECT 1', null],
    ['SELECT 1 FORMAT JSON', 'JSON', 'SELECT 1'],
    ['SELECT 1 FORMAT `Null`', 'Null', 'SELECT 1'],
    ['SELECT 1 FORMAT JSON SETTINGS max_threads = 1', 'JSON', 'SELECT 1 SETTINGS max_threads = 1'],
    ['SELECT 1 SETTINGS max_threads = 1 FORMAT CSV', 'CSV', 'SELECT 1 SETTINGS max_threads = 1'],
    ["SELECT 'INTO OUTFILE', 'file(', file AS `file` FROM (SELECT 1 AS file)", null],
    ["SELECT 'FORMAT JSON', 'it\\'s' FORMAT CSV", 'CSV', "SELECT 'FORMAT JSON', 'it\\'s'"],
    ['SELECT format FROM t', null],
    ["SELECT format('{}', 'x')", null],
    ["SELECT 'url(', domain('http://x'), URLHierarchy('http://x/y')", null],
    ['SELECT dialect FROM t WHERE dialect = 1', null],
    ["WITH a AS (SELECT 'it\\'s' AS b) SELECT * FROM a", null],
    ['(SELECT 1) UNION ALL (SELECT 2)', null],
    ['SHOW TABLES', null],
    ['DESCRIBE TABLE journal', null],
    ['EXISTS TABLE journal', null],
    ['EXPLAIN indexes = 1 SELECT 1', null],
  ])('%s', (sql, format, rest = sql) => {
    expect(inspectStatement(sql)).toEqual({ sql: rest, format });
  });
});

describe('what is no read query, or reaches beyond the store, is refused', () => {
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
    ["SELECT * FROM url('http://x/', LineAsString)", 'ACCESS_DENIED'],
    ["SELECT 1 IN (SELECT 1 FROM s3('http://x/'))", 'ACCESS_DENIED'],
    ["SELECT * FROM executable('x.sh', TSV, 'a String')", 'ACCESS_DENIED'],
    ["INSERT INTO FUNCTION file('/etc/passwd') SELECT 1", 'READONLY'],
    ['WITH 1 AS a INSERT INTO t SELECT a', 'READONLY'],
    ['SELECT 1 PARALLEL WITH SELECT 2', 'NOT_IMPLEMENTED'],
    ["SELECT 1 SETTINGS format_schema = '/etc/passwd:X'", 'SETTING_CONSTRAINT_VIOLATION'],
    ['SELECT 1 SETTINGS `readonly` = 0', 'SETTING_CONSTRAINT_VIOLATION'],
    ["SELECT * FROM (SELECT 1 SETTINGS url_base = 'http://x')", 'SETTING_CONSTRAINT_VIOLATION'],
  ])('%s', (sql, name) => {
    expect(() => inspectStatement(sql)).toThrow(`(${name})`);
  });
});
