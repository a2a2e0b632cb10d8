import { expect, test } from 'vitest';
import { Health } from '../http/health.ts';
import { isUnspecified, ListenError } from '../network/listen-error.ts';
import { ProblemLog } from './problem-log.ts';

test('a problem is logged once until it is another one or over, and readiness has it all the while', () => {
  const lines: string[] = [];
  const logger = {
    info: (_: object, message: string) => void lines.push(`info ${message}`),
    warn: ({ problem }: { problem?: string }, message: string) => void lines.push(`warn ${message}: ${problem}`),
  };
  const health = new Health();
  const log = new ProblemLog('kafka', logger, health);
  log.over('back');
  log.report('no answer for 1 s', 'waiting');
  log.report('no answer for 2 s', 'waiting');
  expect(health.problems).toEqual({ kafka: 'no answer for 2 s' });
  log.report('no leader', 'waiting');
  log.report('no answer for 3 s', 'waiting');
  log.report('refused', 'waiting');
  expect(health.problems).toEqual({ kafka: 'refused' });
  log.report('refused', 'waiting');
  log.report('refused', 'waiting');
  log.over('back');
  expect(health.isReady).toBe(true);
  log.report('refused', 'waiting');
  expect(lines).toEqual([
    'warn waiting: no answer for 1 s',
    'warn waiting: refused',
    'info back',
    'warn waiting: refused',
  ]);
});

test('an address that cannot be listened on is named with field and remedy', () => {
  const error = (code: string) =>
    new ListenError('http.port', { host: '127.0.0.1', port: 80 }, Object.assign(new Error('x'), { code })).message;
  expect(error('EADDRINUSE')).toBe(
    'http.port: cannot listen on 127.0.0.1:80: another process listens there; stop that one, or choose another port',
  );
  expect(error('EACCES')).toContain('choose one above 1023');
  expect(error('EADDRNOTAVAIL')).toContain('this machine has no such address');
});

test.each(['0.0.0.0', '::', '[::]', '[::0]', '0', '0:0:0:0:0:0:0:0'])('%s is no address to connect to', (host) => {
  expect(isUnspecified(host)).toBe(true);
});
test.each(['127.0.0.1', '::1', '10.0.0.0', 'proxy.example', '[2001:db8::]'])('%s is one', (host) => {
  expect(isUnspecified(host)).toBe(false);
});
