import { Partitioners } from 'kafkajs';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { createKafka, type KafkaLogger } from './kafka.ts';

function recorder() {
  const lines: [level: string, message: string, fields: object][] = [];
  const at = (level: string) => (fields: object, message: string) => void lines.push([level, message, fields]);
  const logger: KafkaLogger = { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
  return { lines, logger };
}
const OPTIONS = { brokers: ['127.0.0.1:1'], clientId: 'test' };

test('the client’s lines go to the logger, its own details as debug', () => {
  const { lines, logger } = recorder();
  const kafkaLogger = createKafka({ ...OPTIONS, logger })
    .logger()
    .namespace('Runner');
  kafkaLogger.error('broken', { broker: 'b:1' });
  kafkaLogger.warn('odd');
  kafkaLogger.info('joined');
  kafkaLogger.debug('an answer that may hold records');
  expect(lines).toEqual([
    ['error', 'broken', { component: 'kafkajs Runner', broker: 'b:1' }],
    ['warn', 'odd', { component: 'kafkajs Runner' }],
    ['debug', 'joined', { component: 'kafkajs Runner' }],
  ]);
});

test('an idempotent producer is created without a warning', () => {
  const { lines, logger } = recorder();
  createKafka({ ...OPTIONS, logger }).producer({
    idempotent: true,
    createPartitioner: Partitioners.DefaultPartitioner,
  });
  expect(lines.filter(([level]) => level !== 'debug')).toEqual([]);
});

test('takes the engine’s own logger, or none', () => {
  createKafka({ ...OPTIONS, logger: pino({ level: 'silent' }), ssl: true });
  createKafka({ ...OPTIONS, sasl: { mechanism: 'plain', username: 'u', password: 'p' } })
    .logger()
    .error('not logged');
});
