import type { FastifyInstance } from 'fastify';
import { Counter, Gauge, type Registry } from 'prom-client';
import type { Health } from '../../platform/http/health.ts';
import { exportHealth } from '../../platform/http/health-metrics.ts';
import { createMetrics } from '../../platform/telemetry/metrics.ts';
import type { Accounts } from './accounts/accounts.ts';
import type { DispatchContext } from './context.ts';
import { verdictOn } from './proxies/clock-skew.ts';

interface DispatchState {
  context: DispatchContext;
  accounts: Pick<Accounts, 'unavailable'>;
  health: Health;
}

/**
 * Metrics of a dispatch server for Prometheus: readiness, sessions by application, proxies by whether they may be given sessions,
 * and requests by route and status. Register it before the routes that it counts. No label names a subscriber.
 */
export function exportDispatch(server: FastifyInstance, { context, accounts, health }: DispatchState): Registry {
  const registry = createMetrics();
  const registers = [registry];
  exportHealth(registry, health);
  new Gauge({
    name: 'zerorate_dispatch_sessions',
    help: 'sessions whose usage is not settled yet',
    labelNames: ['application'],
    registers,
    collect() {
      this.reset();
      for (const { id } of context.catalogue.applications) this.set({ application: id }, 0);
      for (const { applicationId } of context.store.allLiveSessions()) this.inc({ application: applicationId });
    },
  });
  new Gauge({
    name: 'zerorate_dispatch_proxies',
    help: 'proxies that have sent a heartbeat: fresh ones are given sessions; silent ones and those whose clock is off are not',
    labelNames: ['state'],
    registers,
    collect() {
      this.reset();
      for (const state of ['fresh', 'silent', 'clock_off']) this.set({ state }, 0);
      const { clock, patience, proxies } = context;
      for (const { heardAtMs, clockSkewMs } of proxies.all()) {
        if (clock.nowMs() - heardAtMs > patience.staleTimeoutMs) this.inc({ state: 'silent' });
        else this.inc({ state: verdictOn(clockSkewMs, patience) === 'excessive' ? 'clock_off' : 'fresh' });
      }
    },
  });
  new Gauge({
    name: 'zerorate_dispatch_proxy_clock_skew_seconds',
    help: 'by how much the clock of a proxy is ahead of this one, by its last heartbeat; negative: behind',
    labelNames: ['proxy'],
    registers,
    collect() {
      this.reset();
      for (const { proxyId, clockSkewMs } of context.proxies.all()) this.set({ proxy: proxyId }, clockSkewMs / 1000);
    },
  });
  new Counter({
    name: 'zerorate_dispatch_reports_total',
    help: 'usage reports, by proxy, outcome (accepted, duplicate, refused) and the reason of a refusal',
    labelNames: ['proxy', 'outcome', 'reason'],
    registers,
    collect() {
      this.reset();
      for (const { proxyId, outcome, reason, count } of context.reportOutcomes.all()) {
        this.inc({ proxy: proxyId, outcome, reason }, count);
      }
    },
  });
  new Counter({
    name: 'zerorate_dispatch_accounts_unavailable_total',
    help: "sessions that were refused because the application's accounts could not be verified: its endpoint or keys do not answer",
    labelNames: ['application'],
    registers,
    collect() {
      this.reset();
      for (const { id } of context.catalogue.applications) {
        this.inc({ application: id }, accounts.unavailable.get(id) ?? 0);
      }
    },
  });
  const requests = new Counter({
    name: 'zerorate_dispatch_requests_total',
    help: 'requests answered, by route and HTTP status',
    labelNames: ['route', 'status'],
    registers,
  });
  server.addHook('onResponse', async ({ routeOptions: { url = 'none' } }, { statusCode }) =>
    requests.inc({ route: url, status: statusCode }),
  );
  return registry;
}
