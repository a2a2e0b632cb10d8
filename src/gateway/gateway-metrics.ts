import { Counter, Gauge, type Registry } from 'prom-client';
import { createMetrics } from '../platform/metrics.ts';

/** State of a gateway: `GET /health/ready`. */
export interface GatewayStanding {
  /** False while Kafka takes no records: they wait on disk. */
  ready: boolean;
  openFlows: number;
  /** Records that Kafka has not acknowledged. */
  spooledRecords: number;
  /** Why not; null while it takes them. */
  kafkaProblem: string | null;
  /** Marks of connections that were not open. */
  unknownFlowMarks: number;
}

/** Metrics of a gateway for Prometheus: open flows, and what keeps its records from Kafka. */
export function exportGateway(standing: () => GatewayStanding): Registry {
  const registry = createMetrics();
  const registers = [registry];
  const gauge = (name: string, help: string, read: (standing: GatewayStanding) => number) =>
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(read(standing()));
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
  new Counter({
    name: 'zerorate_gateway_unknown_flow_marks_total',
    help: 'marks of proxies for connections that were not open',
    registers,
    collect() {
      this.reset();
      this.inc(standing().unknownFlowMarks);
    },
  });
  return registry;
}
