import { join } from 'node:path';
import type { Registry } from 'prom-client';
import { type Clock, systemClock } from '../../platform/clock.ts';
import { lockDataDirectory } from '../../platform/data-directory.ts';
import { Health } from '../../platform/http/health.ts';
import { type ConnectionBound, ConnectionLimits } from '../../platform/network/connection-limits.ts';
import { fitConnections, openFilesLimit } from '../../platform/network/open-files.ts';
import type { Logger } from '../../platform/telemetry/logger.ts';
import { rarely } from '../../platform/telemetry/rare-log.ts';
import type { Heartbeat, ProxyEndpoints } from '../protocol/dispatch-messages.ts';
import { Admission } from './admission.ts';
import { type Resolve, resolveBySystem, ServedApplication } from './applications.ts';
import { BufferBudget } from './buffer-budget.ts';
import { ConnectEndpoint, type EndpointServices } from './connect-endpoint.ts';
import { DispatchClock } from './dispatch-clock.ts';
import { DispatchKeySet } from './dispatch-key-set.ts';
import { FlowMarks } from './flow-marks.ts';
import { Heartbeats } from './heartbeat.ts';
import { LINGER_MS } from './linger.ts';
import { type Accepted, Listener } from './listener.ts';
import type { ProxyConfig } from './load-proxy-config.ts';
import { canonicalIp } from './private-address.ts';
import type { ApplicationDocument, EndpointDocument } from './proxy-config-schema.ts';
import { ControlServer } from './proxy-control-server.ts';
import { ProxyDispatchClient } from './proxy-dispatch-client.ts';
import type { ProxyFigures } from './proxy-metrics.ts';
import { RelayEndpoint } from './relay-endpoint.ts';
import { ReloadableCertificate } from './reloadable-certificate.ts';
import { RefusedReports } from './reports/refused-reports.ts';
import { UsageReporter } from './reports/usage-reporter.ts';
import { UsageSpool } from './reports/usage-spool.ts';
import { SessionRegistry } from './session-registry.ts';
import { Socks5Endpoint, type UdpServices } from './socks5-endpoint.ts';
import { AssociationGate } from './udp/association-gate.ts';
import { DatagramDrops } from './udp/datagram-drops.ts';

/** How often idle sessions, stalled connections and due reports are looked for. */
const SWEEP_MS = 250;
const CLOSE_WITHIN_MS = LINGER_MS + 1000;
/** For what has waited for a mark until then: it has its last octets to count, and datagrams to settle. */
const UNMARKED_WITHIN_MS = 1000;

export interface ProxyServerOptions {
  config: ProxyConfig;
  logger: Logger;
  clock?: Clock;
  resolve?: Resolve;
  /** Is given the registry of the proxy's metrics. */
  onMetrics?: (registry: Registry) => void;
  /** Usage can be kept no longer: the proxy has to end. */
  onFailure(error: Error): void;
}

/** A proxy server, all of it. Inert until `start`. */
export class ProxyServer {
  readonly health = new Health();
  readonly #options: ProxyServerOptions;
  readonly #clock: Clock;
  readonly #spool: UsageSpool;
  readonly #client: ProxyDispatchClient;
  readonly #dispatchClock: DispatchClock;
  readonly #refused: RefusedReports;
  readonly #keys: DispatchKeySet;
  readonly #marks: FlowMarks;
  readonly #reporter: UsageReporter;
  readonly #registry: SessionRegistry;
  readonly #gate: ConnectionLimits;
  readonly #associations: AssociationGate;
  readonly #drops = new DatagramDrops();
  readonly #buffers: BufferBudget;
  readonly #listeners: Record<'connect' | 'socks5' | 'relay', Listener>;
  readonly #control: ControlServer;
  readonly #heartbeats: Heartbeats;
  readonly #tls: ReloadableCertificate[] = [];
  readonly #timers: NodeJS.Timeout[] = [];
  /** By id; changed in place. */
  readonly #applications = new Map<string, ServedApplication>();
  readonly #applicationIds: string[] = [];
  #unlock: () => void = () => {};

  constructor(options: ProxyServerOptions) {
    const { config, logger, clock = systemClock } = options;
    const { proxyId, dataDir, dispatch, secret, limits, idle, statistics } = config;
    this.#options = options;
    this.#clock = clock;
    this.#spool = new UsageSpool(join(dataDir, 'usage.spool'));
    this.#client = new ProxyDispatchClient({ ...dispatch, jwksUrl: dispatch.jwksUrl, proxyId, secret });
    const path = join(dataDir, 'dispatch-keys.json');
    this.#keys = new DispatchKeySet({ path, fetch: () => this.#client.keys(), clock, logger });
    this.#dispatchClock = new DispatchClock({ nowMs: () => clock.nowMs(), maxClockSkewMs: dispatch.maxClockSkewMs });
    this.#refused = new RefusedReports(join(dataDir, 'refused-reports.ndjson'), () => clock.nowMs());
    this.#marks = new FlowMarks({ gateway: config.gateway ?? null, secret: config.gatewaySecret, logger });
    const base = { spool: this.#spool, clock, logger };
    const { health } = this;
    const { retryDelayMs } = statistics;
    const reporting = { proxyId, client: this.#client, refused: this.#refused, health, retryDelayMs };
    this.#reporter = new UsageReporter({ ...base, ...reporting });
    this.#registry = new SessionRegistry({
      ...base,
      capacitySessions: limits.capacitySessions,
      idleMs: idle.timeoutMs,
      promptTimeoutMs: idle.promptTimeoutMs,
      stallTimeoutMs: limits.stallTimeoutMs,
      statisticsIntervalMs: statistics.intervalMs,
      report: this.#reporter.take,
    });
    this.#gate = terminalConnections(limits, logger);
    this.#associations = new AssociationGate(limits.udp);
    this.#buffers = new BufferBudget(limits.buffers);
    const services = this.#endpointServices();
    this.#listeners = {
      connect: this.#listener('listen.connect', config.listen.connect, new ConnectEndpoint(services).take),
      socks5: this.#listener(
        'listen.socks5',
        config.listen.socks5,
        new Socks5Endpoint(services, this.#udpServices(services)).take,
      ),
      relay: this.#listener('listen.relay', config.listen.relay, new RelayEndpoint(services).take),
    };
    this.#control = new ControlServer({
      endpoint: config.listen.control,
      limits,
      terminals: this.#gate,
      secret,
      registry: this.#registry,
      applicationIds: this.#applicationIds,
      health,
      logger,
      figures: () => this.figures(),
      onMetrics: options.onMetrics,
    });
    const beating = { client: this.#client, clock, health, logger, dispatchClock: this.#dispatchClock };
    this.#heartbeats = new Heartbeats({ ...beating, state: () => this.#state() });
  }

  get endpoints(): ProxyEndpoints {
    const { connect, socks5, relay } = this.#options.config.listen;
    return {
      connect: urlOf(connect, connect.tls ? 'https' : 'http', this.#listeners.connect.port),
      socks5: urlOf(socks5, 'socks5', this.#listeners.socks5.port),
      relay: urlOf(relay, relay.tls ? 'wss' : 'ws', this.#listeners.relay.port),
    };
  }

  get controlUrl(): string {
    const { control } = this.#options.config.listen;
    return urlOf(control, control.tls ? 'https' : 'http', this.#control.port);
  }

  figures(): ProxyFigures {
    return {
      openSessions: this.#registry.openSessions,
      connections: this.#gate.open,
      reportsWaiting: this.#reporter.waiting,
      reportsRefused: this.#refused.byReason,
      clockSkewMs: this.#dispatchClock.skewMs ?? 0,
      flowMarksFailed: this.#marks.failed,
      associations: this.#associations.open,
      datagramsDropped: this.#drops.counts,
      bufferedBytes: this.#buffers.bytes,
      closedForBuffers: this.#buffers.closed,
    };
  }

  /** Rejects with a ConfigError, a DataDirectoryError or a SpoolError. The dispatch server need not be there. */
  async start(): Promise<void> {
    const { statistics, dataDir } = this.#options.config;
    this.#unlock = await lockDataDirectory({ path: dataDir, owner: 'proxy', field: 'dataDir' });
    this.#reporter.start(this.#registry, this.#spool.start());
    for (const files of this.#tls) files.start();
    for (const listener of Object.values(this.#listeners)) await listener.start();
    await this.#control.start();
    await this.#keys.start();
    this.#every(SWEEP_MS, () => {
      this.#registry.sweep();
      return this.#reporter.send();
    });
    this.#every(statistics.syncIntervalMs, () => this.#spool.sync());
    this.#every(statistics.retryDelayMs, () => this.#marks.retry());
    await this.#heartbeats.start();
  }

  /** Ends the sessions, and reports them if the dispatch server is there; what is not reported is in the spool. */
  async stop(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    this.#heartbeats.stop();
    this.#keys.stop();
    for (const listener of Object.values(this.#listeners)) listener.stop();
    for (const files of this.#tls) files.stop();
    this.#registry.endAll('proxy_stopped');
    await this.#untilClosed(CLOSE_WITHIN_MS);
    this.#marks.stop();
    await this.#untilClosed(UNMARKED_WITHIN_MS);
    await this.#reporter.flush();
    await this.#control.stop();
    await this.#spool.stop();
    this.#unlock();
  }

  /** Waits for the connections to be closed and counted, at most so long. */
  async #untilClosed(withinMs: number): Promise<void> {
    const untilMs = this.#clock.monotonicMs() + withinMs;
    const isOpen = () => this.#gate.open > 0 || this.#associations.open > 0 || this.#registry.connections > 0;
    while (isOpen() && this.#clock.monotonicMs() < untilMs) await this.#clock.sleep(20);
  }

  /**
   * Serves other applications from the next connection on, and reads certificates again; open connections continue. The
   * dispatch server hears of them with the next heartbeat.
   */
  reload(applications: readonly ApplicationDocument[]): void {
    const { config, resolve = resolveBySystem } = this.#options;
    this.#useApplications(applications, { resolve, resolveMs: config.limits.connectTimeoutMs });
    for (const files of this.#tls) files.reload();
  }

  #useApplications(documents: readonly ApplicationDocument[], options: { resolve: Resolve; resolveMs: number }): void {
    const made = documents.map((each) => [each.applicationId, new ServedApplication(each, options)] as const);
    this.#applications.clear();
    for (const [id, application] of made) this.#applications.set(id, application);
    this.#applicationIds.splice(0, this.#applicationIds.length, ...this.#applications.keys());
  }

  #endpointServices(): EndpointServices {
    const { config, logger, resolve = resolveBySystem } = this.#options;
    const options = { resolve, resolveMs: config.limits.connectTimeoutMs };
    this.#useApplications(config.applications, options);
    const applications = this.#applications;
    const base = { registry: this.#registry, clock: this.#clock, buffers: this.#buffers };
    const admission = new Admission({
      registry: this.#registry,
      clock: this.#dispatchClock,
      buffers: this.#buffers,
      proxyId: config.proxyId,
      applications,
      getKey: this.#keys.getKey,
      findTagKey: this.#keys.findTagKey,
      connectionsPerSession: config.limits.connectionsPerSession,
    });
    return { ...base, admission, marks: this.#marks, logger, limits: config.limits };
  }

  #udpServices({ admission, registry, marks, clock, buffers, logger }: EndpointServices): UdpServices {
    const { limits, listen } = this.#options.config;
    const { publicUrl } = listen.socks5;
    return {
      ...{ admission, registry, marks, clock, buffers, logger },
      udp: limits.udp,
      gate: this.#associations,
      drop: this.#drops.drop,
      advertisedIp: publicUrl === undefined ? null : canonicalIp(hostOf(publicUrl)),
    };
  }

  #listener(field: string, endpoint: EndpointDocument, onConnection: (accepted: Accepted) => void): Listener {
    const { config, logger } = this.#options;
    const tls = endpoint.tls === undefined ? null : new ReloadableCertificate(endpoint.tls, `${field}.tls`, logger);
    if (tls !== null) this.#tls.push(tls);
    return new Listener({
      field,
      address: { host: endpoint.host, port: endpoint.port },
      tls,
      gate: this.#gate,
      handshakeTimeoutMs: config.limits.handshakeTimeoutMs,
      onConnection,
    });
  }

  #every(ms: number, work: () => void | Promise<void>): void {
    const { onFailure } = this.#options;
    const once = async () => work();
    this.#timers.push(setInterval(() => void once().catch(onFailure), ms));
  }

  #state(): Heartbeat {
    const { region, limits } = this.#options.config;
    return {
      region,
      endpoints: this.endpoints,
      controlUrl: this.controlUrl,
      applicationIds: [...this.#applicationIds],
      openSessions: this.#registry.openSessions,
      capacitySessions: limits.capacitySessions,
      octetsPerSecond: this.#registry.takeOctetsPerSecond(),
    };
  }
}

function hostOf(url: string): string {
  return new URL(url).hostname.replace(/^\[|\]$/g, '');
}

/** An association has a socket to the terminal, and one to hosts of each address family; its SOCKS5 connection counts with the others. */
const SOCKETS_PER_ASSOCIATION = 3;

/** Limits of all listeners for terminals together, as far as the process may open files. */
function terminalConnections(limits: ProxyConfig['limits'], logger: Logger): ConnectionLimits {
  const { connectionsPerAddress, control, udp } = limits;
  const need = {
    ...{ field: 'limits.connections', connections: limits.connections, filesPerConnection: 2 },
    otherFiles: control.connections + udp.associations * SOCKETS_PER_ASSOCIATION,
  };
  const { connections, warning } = fitConnections(need, openFilesLimit());
  if (warning !== null) logger.warn(warning);
  const onReached = rarely((bound: ConnectionBound, times) => {
    const reached =
      bound === 'total'
        ? `limits.connections = ${connections}`
        : `limits.connectionsPerAddress = ${connectionsPerAddress}`;
    logger.warn({ bound, times }, `${reached} is reached: connections are closed. Raise it if these are not a flood`);
  });
  return new ConnectionLimits({ connections, connectionsPerAddress, onReached });
}

function urlOf({ publicUrl, host }: EndpointDocument, protocol: string, port: number): string {
  if (publicUrl !== undefined) return publicUrl;
  return `${protocol}://${host.includes(':') ? `[${host}]` : host}:${port}`;
}
