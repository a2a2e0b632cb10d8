import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { SchemaRegistry } from '@kafkajs/confluent-schema-registry';
import type { Secret } from '../config/secret.ts';
import { tlsFailure } from '../network/tls-failure.ts';
import type { TlsCertificates } from '../network/tls-files.ts';
import { RegistryError } from './registry-error.ts';
import { fullNameOf, withDefinitions } from './schema-references.ts';

export interface SchemaRegistryOptions {
  /** Where `/schemas/ids/{id}` is found. */
  url: string;
  username?: string | undefined;
  password?: Secret | null;
  tls?: TlsCertificates;
}

/** A registry that speaks as Confluent's does; asked for schemas by id, and for nothing else. */
export interface SchemaIds {
  /**
   * The schema, as JSON text, whole: what it refers to is in it. Null where the registry has none of this id. Rejects with a
   * RegistryError where it could not be asked.
   */
  schemaOf(id: number): Promise<string | null>;
  /** From then on nothing is asked. */
  close(): void;
}

type Settings = ConstructorParameters<typeof SchemaRegistry>[0];
type Middleware = NonNullable<Settings['middlewares']>[number];

const REQUEST_TIMEOUT_MS = 5000;
const FIELD = 'source.kafka.avro.registry';
/** The placeholder of a schema that is not Avro's: it resolves to no fields, and names its type. */
export const NOT_AVRO = JSON.stringify({ type: 'not an Avro schema' });
/** What the client can ask, but has no methods for: its own read a schema with avsc, which refuses some that others write. */
interface Asking {
  api: {
    Subject: { all(): Promise<unknown>; version(of: Reference): Promise<Answer> };
    Schema: { find(of: { id: number }): Promise<Answer> };
  };
}
interface Answer {
  data(): unknown;
}
interface Registered {
  schema?: unknown;
  /** Absent: Avro. */
  schemaType?: unknown;
  references?: readonly Reference[] | null;
}
interface Reference {
  subject: string;
  version: number;
}
type Api = Asking['api'];

/** What the client makes of no answer at all. */
const NO_ANSWER = 400;

export function schemaRegistry(options: SchemaRegistryOptions): SchemaIds {
  const connections = watchedAgent(options);
  let isRegistry = false;
  const notePage: Middleware = () => ({
    prepareRequest: async (next) => (await next()).enhance({ timeout: REQUEST_TIMEOUT_MS }),
    response: async (next) => {
      const answer = await next();
      // A proxy's page, say: the client would take it for a schema.
      const data: unknown = answer.data();
      if (typeof data !== 'object') throw notARegistry(options.url);
      return answer;
    },
  });
  let client: Promise<Api> | undefined;
  let isClosed = false;
  const connected = async () => {
    client ??= clientOf(options, connections.agent, notePage);
    const api = await client;
    // The agent would connect once more.
    if (isClosed) throw new RegistryError('registry_unavailable', `${options.url}: the registry's client is closed`);
    return api;
  };
  /** 404 is the answer for an unknown id, and of a wrong address too. */
  const isUnknown = async (api: Api): Promise<null> => {
    if (!isRegistry) {
      await api.Subject.all().catch((error: unknown) => {
        throw statusOf(error) === 404 ? notARegistry(options.url) : error;
      });
    }
    isRegistry = true;
    return null;
  };
  return {
    async schemaOf(id) {
      const api = await connected();
      try {
        const answer = await api.Schema.find({ id }).catch((error: unknown) => {
          if (statusOf(error) === 404) return isUnknown(api);
          throw error;
        });
        return answer === null ? null : await documentOf(api, answer.data() as Registered);
      } catch (error) {
        const status = statusOf(error);
        throw status === null ? error : registryError(options.url, status, connections.failure() ?? (error as Error));
      }
    },
    close: () => {
      isClosed = true;
      connections.agent.destroy();
    },
  };
}

/** Loaded by those who have a registry: it brings compilers of three kinds of schemas. */
async function clientOf(
  { url, username, password }: SchemaRegistryOptions,
  agent: HttpAgent,
  middleware: Middleware,
): Promise<Api> {
  const { SchemaRegistry } = await import('@kafkajs/confluent-schema-registry');
  const client = new SchemaRegistry({
    host: url.replace(/\/+$/, ''),
    clientId: 'zerorate',
    agent,
    // The caller decides how often.
    retry: { retries: 0 },
    middlewares: [middleware],
    ...(username !== undefined && { auth: { username, password: password?.reveal() ?? '' } }),
  });
  return (client as unknown as Asking).api;
}

/** The client reports a broken connection in words only; what TLS found wrong has a code, which is kept here. */
function watchedAgent({ url, tls = {} }: SchemaRegistryOptions): { agent: HttpAgent; failure: () => Error | null } {
  const isSecure = url.startsWith('https:');
  const agent = isSecure ? new HttpsAgent({ keepAlive: true, ...tls }) : new HttpAgent({ keepAlive: true });
  let failure: Error | null = null;
  const connect = agent.createConnection.bind(agent);
  agent.createConnection = (...given) => {
    const socket = connect(...given);
    socket?.once('error', (error) => {
      failure = error;
    });
    socket?.once(isSecure ? 'secureConnect' : 'connect', () => {
      failure = null;
    });
    return socket;
  };
  return { agent, failure: () => failure };
}

/** Of the client's own errors; null of any other. */
function statusOf(error: unknown): number | null {
  const { status } = error as { status?: unknown };
  return typeof status === 'number' ? status : null;
}

async function documentOf(api: Api, registered: Registered): Promise<string> {
  const schema = avroOf(registered);
  if (schema === null) return NOT_AVRO;
  const definitions = new Map<string, unknown>();
  await gatherDefinitions(api, registered, definitions, new Set());
  return JSON.stringify(withDefinitions(schema, definitions));
}

/** Null where the registry has another kind of schema under the id. */
function avroOf({ schema, schemaType = 'AVRO' }: Registered): unknown {
  if (schemaType !== 'AVRO' || typeof schema !== 'string') return null;
  try {
    return JSON.parse(schema);
  } catch {
    return null;
  }
}

async function gatherDefinitions(
  api: Api,
  { references }: Registered,
  definitions: Map<string, unknown>,
  asked: Set<string>,
): Promise<void> {
  for (const { subject, version } of references ?? []) {
    const key = `${subject}/${version}`;
    if (asked.has(key)) continue;
    asked.add(key);
    const referred = (await api.Subject.version({ subject, version })).data() as Registered;
    const schema = avroOf(referred);
    const name = fullNameOf(schema);
    if (name !== null) definitions.set(name, schema);
    await gatherDefinitions(api, referred, definitions, asked);
  }
}

function notARegistry(url: string): RegistryError {
  return new RegistryError('registry_refused', `${url}: what answers is no schema registry; see ${FIELD}.url`);
}

function registryError(url: string, status: number, failure: Error): RegistryError {
  if (status === 401 || status === 403) {
    const message = `${url}: the schema registry refuses the login (HTTP ${status}); see ${FIELD}.username and its password`;
    return new RegistryError('registry_refused', message);
  }
  const refusal = status === NO_ANSWER ? tlsFailure(failure, `${FIELD}.tls`) : null;
  if (refusal !== null) return new RegistryError('registry_refused', `${url}: ${refusal}`, failure);
  const why = status === NO_ANSWER ? `does not answer: ${failure.message}` : `answers with HTTP ${status}`;
  return new RegistryError('registry_unavailable', `${url}: the schema registry ${why}`, failure);
}
