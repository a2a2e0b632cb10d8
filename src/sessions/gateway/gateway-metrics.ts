import { Counter, Gauge, type Registry } from 'prom-client';
import { createMetrics } from '../../platform/telemetry/metrics.ts';
import type { TagOutcome } from './terminal-tags.ts';

/** State of a gateway: `GET /health/ready`. */
export interface GatewayStatus {
  /** False while Kafka takes no records: they wait on disk. */
  ready: boolean;
  openFlows: number;
  /** Records that Kafka has not acknowledged. */
  spooledRecords: number;
  /** Why not; null while it takes them. */
  kafkaProblem: string | null;
  /** What became of the session tags that terminals sent, by outcome; null where none are read. */
  terminalTags: Readonly<Record<TagOutcome, number>> | null;
  /** Whether the dispatch server's keys could be fetched last; null where none are needed. */
  tagKeysReachable: boolean | null;
  /** Marks of connections that were not open. */
  unknownFlowMarks: number;
}

/** Metrics of a gateway for Prometheus: open flows, and what keeps its records from Kafka. */
export function exportGateway(status: () => GatewayStatus): Registry {
  const registry = createMetrics();
  const registers = [registry];
  const gauge = (name: string, help: string, read: (status: GatewayStatus) => number) =>
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(read(status()));
      },
    });
  gauge('zerorate_gateway_open_flows', 'flows that are metered now', ({ openFlows }) => openFlows);
  gauge(
    'zerorate_gateway_spooled_records',
    'flow records that Kafka has not acknowledged',
    ({ spooledRecords }) => spooledRecords,
  );
  gauge('zerorate_gateway_kafka_problem', '1 while Kafka does not take records', ({ kafkaProblem }) =>
    kafkaProblem === null ? 0 : 1,
  );
  gauge('zerorate_gateway_tag_keys_unreachable', "1 while the dispatch server's keys cannot be fetched", (now) =>
    now.tagKeysReachable === false ? 1 : 0,
  );
  new Counter({
    name: 'zerorate_gateway_terminal_tags_total',
    help: 'session tags that terminals sent, by what became of them: only taken ones put a tag on their flow',
    labelNames: ['outcome'],
    registers,
    collect() {
      this.reset();
      for (const [outcome, count] of Object.entries(status().terminalTags ?? {})) this.inc({ outcome }, count);
    },
  });
  new Counter({
    name: 'zerorate_gateway_unknown_flow_marks_total',
    help: 'marks of proxies for connections that were not open',
    registers,
    collect() {
      this.reset();
      this.inc(status().unknownFlowMarks);
    },
  });
  return registry;
}
