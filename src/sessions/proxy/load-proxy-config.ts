import { dirname, resolve } from 'node:path';
import type { DocumentPath } from '../../formats/document-fault.ts';
import { readConfigDocument } from '../../platform/config/config-document.ts';
import { resolveTls } from '../../platform/config/tls-schema.ts';
import { PeerSecret, readPeerSecret, sharedSecretFault } from '../../platform/http/peer-secret.ts';
import { isUnspecified } from '../../platform/network/listen-error.ts';
import { PROXY_RENAMES, type ProxyDocument, proxyConfigSchema } from './proxy-config-schema.ts';

/** What a proxy runs with. Paths are absolute; secrets do not print. */
export interface ProxyConfig extends ProxyDocument {
  /** What dispatch server and proxy know each other by. */
  secret: PeerSecret;
  /** What the gateway knows it by. */
  gatewaySecret: PeerSecret;
}

export interface ProxyConfigSources {
  file: string;
  env: Readonly<Record<string, string | undefined>>;
  /** Reads a text file; throws when it cannot. */
  readFile: (path: string) => string;
}

/** Reads `proxy.yaml`. Throws a ConfigError with a line for each fault. */
export function loadProxyConfig({ file, env, readFile }: ProxyConfigSources): ProxyConfig {
  const { value, refuse } = readConfigDocument(file, proxyConfigSchema, { renames: PROXY_RENAMES, readFile });
  const document = absolute(value, dirname(resolve(file)));
  const faults: Fault[] = [];
  const secretOf = (part: 'dispatch' | 'gateway', place: SecretPlace): PeerSecret => {
    const found = readPeerSecret({ file: place.secretFile, variable: place.secretVariable }, env, readFile);
    if (found.fault === undefined) return found.secret;
    const field = place.secretFile === undefined ? [] : ['secretFile'];
    faults.push({ path: [part, ...field], message: found.fault });
    return PeerSecret.of('');
  };
  const { dispatch, gateway } = document;
  const shared = sharedSecretFault(env, [dispatch.secretVariable, gateway?.secretVariable]);
  if (shared !== null) faults.push({ path: ['dispatch'], message: shared });
  const secret = secretOf('dispatch', dispatch);
  const hasOwn = gateway !== undefined && (gateway.secretFile ?? gateway.secretVariable) !== undefined;
  const gatewaySecret = hasOwn ? secretOf('gateway', gateway) : secret;
  faults.push(...ruleFaults(document), ...addressFaults(document));
  refuse(faults);
  return { ...document, secret, gatewaySecret };
}

interface SecretPlace {
  secretFile?: string | undefined;
  secretVariable?: string | undefined;
}

interface Fault {
  path: DocumentPath;
  message: string;
}

function absolute(document: ProxyDocument, base: string): ProxyDocument {
  const { listen, dispatch, gateway } = document;
  const from = <T extends SecretPlace>({ secretFile, ...rest }: T) => ({
    ...rest,
    ...(secretFile !== undefined && { secretFile: resolve(base, secretFile) }),
  });
  const endpoint = <T extends ProxyDocument['listen']['connect']>({ tls, ...rest }: T) => ({
    ...rest,
    ...(tls && { tls: resolveTls(tls, (path) => resolve(base, path)) }),
  });
  return {
    ...document,
    dataDir: resolve(base, document.dataDir),
    listen: {
      ...listen,
      connect: endpoint(listen.connect),
      relay: endpoint(listen.relay),
      control: endpoint(listen.control),
    },
    dispatch: {
      ...from(dispatch),
      ...(dispatch.tls && { tls: resolveTls(dispatch.tls, (path) => resolve(base, path)) }),
    },
    ...(gateway && { gateway: from(gateway) }),
  };
}

function bufferFaults({ limits: { buffers, messageBytes } }: ProxyDocument): Fault[] {
  const { perSessionBytes, perSubscriberBytes, totalBytes } = buffers;
  const needed: [keyof typeof buffers, number, number, string][] = [
    ['perSessionBytes', perSessionBytes, 2 * messageBytes, 'two messages of messageBytes'],
    ['perSubscriberBytes', perSubscriberBytes, perSessionBytes, 'perSessionBytes'],
    ['totalBytes', totalBytes, perSubscriberBytes, 'perSubscriberBytes'],
  ];
  return needed
    .filter(([, given, least]) => given < least)
    .map(([field, given, least, what]) => ({
      path: ['limits', 'buffers', field],
      message: `${given} is less than ${what} (${least})`,
    }));
}

/** A line for each address that the proxy would announce and that no other machine can connect to. */
function addressFaults({ listen }: ProxyDocument): Fault[] {
  const roles = { connect: 'terminals', socks5: 'terminals', relay: 'terminals', control: 'the dispatch server' };
  return Object.entries(roles).flatMap(([name, who]): Fault[] => {
    const { host, publicUrl } = listen[name as keyof typeof roles];
    const path = ['listen', name, publicUrl === undefined ? 'host' : 'publicUrl'];
    if (publicUrl === undefined) {
      const message = `${host} is no address that ${who} can connect to; set listen.${name}.publicUrl to one that they can, or host to an address of this machine`;
      return isUnspecified(host) ? [{ path, message }] : [];
    }
    const message = `${publicUrl} is no address that ${who} can connect to; name a host that they can reach`;
    return isUnspecified(new URL(publicUrl).hostname) ? [{ path, message }] : [];
  });
}

/** Compares the fields with each other. */
function ruleFaults(document: ProxyDocument): Fault[] {
  const { applications } = document;
  const faults: Fault[] = bufferFaults(document);
  const known = new Set<string>();
  for (const [at, { applicationId, hosts, relayUpstream }] of applications.entries()) {
    const path = ['applications', at];
    if (known.has(applicationId)) {
      faults.push({ path: [...path, 'applicationId'], message: `is there twice: ${applicationId}` });
    }
    known.add(applicationId);
    if (hosts.length === 0 && relayUpstream === undefined) {
      faults.push({ path, message: 'has neither hosts nor a relayUpstream: nothing could be reached' });
    }
    const messages = identificationMessages(applications[at], document);
    faults.push(...messages.map((message) => ({ path: [...path, 'identifiedBy'], message })));
    const places = new Set<string>();
    for (const [index, { host, protocol, ports }] of hosts.entries()) {
      const again = ports.find((port) => places.has(`${protocol} ${host}:${port}`));
      for (const port of ports) places.add(`${protocol} ${host}:${port}`);
      if (again === undefined) continue;
      faults.push({
        path: [...path, 'hosts', index, 'host'],
        message: `is there twice: ${host}, ${protocol} port ${again}`,
      });
    }
  }
  return faults;
}

/** What keeps the ways that identify an application's traffic from working at this proxy. */
function identificationMessages(
  { identifiedBy = [], zeroRatingTag }: ProxyDocument['applications'][number],
  { listen, gateway }: ProxyDocument,
): string[] {
  const messages: string[] = [];
  const hidden = (['connect', 'relay'] as const).filter((name) => {
    const { tls, publicUrl } = listen[name];
    return tls !== undefined || /^(https|wss):/i.test(publicUrl ?? '');
  });
  if (identifiedBy.includes('terminal_tag') && hidden.length > 0) {
    messages.push(
      `terminal_tag needs endpoints without TLS, as the gateway reads the tag there: ${hidden.map((name) => `listen.${name}`).join(' and ')} has TLS; use proxy_mark`,
    );
  }
  const isMarked = identifiedBy.includes('proxy_mark');
  if (isMarked && zeroRatingTag === undefined) messages.push('proxy_mark needs a zeroRatingTag');
  if (isMarked && gateway === undefined) messages.push('proxy_mark needs a gateway that takes the marks');
  if (identifiedBy.length > 0 && !isMarked && zeroRatingTag !== undefined) {
    messages.push('has a zeroRatingTag, which is for proxy_mark alone');
  }
  return messages;
}
