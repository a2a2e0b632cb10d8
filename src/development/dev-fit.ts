import { compileClaim } from '../rating/catalogue/catalogue-compile.ts';
import { claimText, isInForce } from '../rating/claims.ts';
import { applicationOf, type DevSettings, isLoopback, portOf, usedPorts } from './dev-settings.ts';

/**
 * Returns a line for each place where the configurations of a folder disagree: addresses, ids, tags, topics, secrets and keys that one
 * program has under another name than the program that it communicates with. Empty when they fit. `nowMs`: the tags of the catalogue are
 * those in force then.
 */
export function fitFaults(settings: DevSettings, nowMs: number): string[] {
  return [
    ...addressFaults(settings),
    ...pinFaults(settings),
    ...topicFaults(settings),
    ...identityFaults(settings),
    ...applicationFaults(settings, nowMs),
    ...portFaults(settings),
  ];
}

/** What a terminal without a sponsor's key can be known by. */
const ACCOUNT_WAYS = new Set(['registry', 'development']);

type Value = string | number | undefined;

/** `[field, value]`: the first is what the others must be equal to. */
function differing([[first, expected], ...others]: readonly (readonly [string, Value])[]): string[] {
  return others
    .filter(([, value]) => value !== expected)
    .map(([field, value]) => `${field} is ${value ?? 'absent'}, and ${first} ${expected ?? 'absent'}`);
}

function addressFaults({ engine, dispatch, gateway, proxy }: DevSettings): string[] {
  const brokersOf = (each: { brokers: string[] }) => [...each.brokers].sort().join(', ');
  return [
    ...differing([
      ['http.port of dispatch.yaml', dispatch.http.port],
      ['dispatch.url of proxy.yaml', portOf(proxy.dispatch.url)],
    ]),
    ...differing([
      ['control.port of gateway.yaml', gateway.control.port],
      ['gateway.url of proxy.yaml', proxy.gateway && portOf(proxy.gateway.url)],
    ]),
    ...differing([
      ['store.url of zerorate.yaml', engine.store.url],
      ['store.url of dispatch.yaml', dispatch.store.url],
    ]),
    ...differing([
      ['store.database of zerorate.yaml', engine.store.database],
      ['store.database of dispatch.yaml', dispatch.store.database],
    ]),
    ...differing([
      ['source.kafka.brokers of zerorate.yaml', brokersOf(engine.source.kafka)],
      ['kafka.brokers of dispatch.yaml', brokersOf(dispatch.kafka)],
      ['kafka.brokers of gateway.yaml', brokersOf(gateway.kafka)],
    ]),
  ];
}

/** What dispatch.yaml says of the proxy, where it says it. */
function pinFaults({ dispatch, proxy, dev }: DevSettings): string[] {
  const { controlUrl, endpoints = {}, applications } = dispatch.proxies[proxy.proxyId] ?? {};
  const pinned = { ...endpoints, ...(controlUrl !== undefined && { control: controlUrl }) };
  const faults = Object.entries(pinned).flatMap(([name, url]) =>
    differing([
      [`listen.${name}.port of proxy.yaml`, proxy.listen[name as keyof typeof proxy.listen].port],
      [`the ${name} address of ${proxy.proxyId} in dispatch.yaml`, url && portOf(url)],
    ]),
  );
  if (applications === undefined || applications.includes(dev.application)) return faults;
  return [
    ...faults,
    `applications of ${proxy.proxyId} in dispatch.yaml has no ${dev.application}, the one of dev.yaml`,
  ];
}

function topicFaults({ engine, dispatch, gateway }: DevSettings): string[] {
  return [
    ...differing([
      ['source.kafka.topic of zerorate.yaml', engine.source.kafka.topic],
      ['kafka.topic of gateway.yaml', gateway.kafka.topic],
    ]),
    ...differing([
      ['quotaUpdates.topic of zerorate.yaml', engine.quotaUpdates.topic],
      ['kafka.quotaUpdatesTopic of dispatch.yaml', dispatch.kafka.quotaUpdatesTopic],
    ]),
    ...differing([
      ['catalogue of zerorate.yaml', engine.catalogue],
      ['catalogue of dispatch.yaml', dispatch.catalogue],
    ]),
  ];
}

function identityFaults({ engine, dispatch, gateway, proxy }: DevSettings): string[] {
  const { proxyId } = proxy;
  const atDispatch = dispatch.proxies[proxyId];
  const atGateway = gateway.proxies.find((each) => each.proxyId === proxyId);
  const operator = dispatch.operators.find(({ issuer }) => issuer === gateway.identity.issuer);
  return [
    ...(atDispatch === undefined ? [`proxies of dispatch.yaml has no ${proxyId}, the proxyId of proxy.yaml`] : []),
    ...(atGateway === undefined ? [`proxies of gateway.yaml has no ${proxyId}, the proxyId of proxy.yaml`] : []),
    ...(operator === undefined
      ? [`operators of dispatch.yaml has no ${gateway.identity.issuer}, the identity.issuer of gateway.yaml`]
      : []),
    ...differing([
      ['dispatch.secretFile of proxy.yaml', proxy.dispatch.secretFile],
      [`proxies.${proxyId}.secretFile of dispatch.yaml`, atDispatch?.secretFile],
      [`secretFile of ${proxyId} in gateway.yaml`, atGateway?.secretFile],
    ]),
    ...differing([
      ['operatorSecretFile of gateway.yaml', gateway.operatorSecretFile],
      ['operatorSecretFile of dispatch.yaml', dispatch.operatorSecretFile],
    ]),
    ...differing([
      ['the key set of identity.privateKeyFile in gateway.yaml', `${gateway.identity.privateKeyFile}.jwks.json`],
      ['jwksFile of its issuer in dispatch.yaml', operator?.jwksFile],
    ]),
    ...differing([
      ['pseudonymKey.file of zerorate.yaml', engine.pseudonymKey?.file],
      ['pseudonymKey.file of dispatch.yaml', dispatch.pseudonymKey?.file],
    ]),
  ];
}

function applicationFaults(settings: DevSettings, nowMs: number): string[] {
  const { catalogue, proxy, dev } = settings;
  const faults = proxy.applications.flatMap(({ applicationId, zeroRatingTag }) => {
    const known = catalogue.applications.find(({ id }) => id === applicationId);
    if (known === undefined) return [`${applicationId} of proxy.yaml is no application of the catalogue`];
    const tags = known.tags
      .map(compileClaim)
      .filter((claimed) => isInForce(claimed, nowMs))
      .map(claimText);
    if (zeroRatingTag === undefined || tags.includes(zeroRatingTag)) return [];
    const has = tags.length === 0 ? 'no tag in force' : tags.join(', ');
    return [`zeroRatingTag of ${applicationId} in proxy.yaml is ${zeroRatingTag}, and the catalogue has ${has}`];
  });
  const application = applicationOf(settings);
  if (application === undefined)
    return [...faults, `proxy.yaml has no ${dev.application}, the application of dev.yaml`];
  const isReachable = application.hosts.some(({ host, protocol }) => isLoopback(host) && protocol === 'tcp');
  if (application.relayUpstream === undefined || !isReachable) {
    faults.push(
      `${dev.application} in proxy.yaml needs a relayUpstream and a host 127.0.0.1, which zerorate dev serves`,
    );
  }
  const way = settings.dispatch.applications[dev.application]?.account?.way ?? 'assertion';
  if (!ACCOUNT_WAYS.has(way)) {
    faults.push(
      `account.way of ${dev.application} in dispatch.yaml is ${way}, and the terminals of dev.yaml prove accounts by ${[...ACCOUNT_WAYS].join(' or ')}`,
    );
  }
  return faults;
}

function portFaults(settings: DevSettings): string[] {
  const byPort = new Map<number, string>();
  return usedPorts(settings).flatMap(({ port, field }) => {
    const other = byPort.get(port);
    byPort.set(port, field);
    return other === undefined ? [] : [`port ${port} is both of ${other} and of ${field}`];
  });
}
