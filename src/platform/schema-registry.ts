import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { SchemaRegistry } from '@kafkajs/confluent-schema-registry';
import { RegistryError } from './registry-error.ts';
import type { Secret } from './secret.ts';
import { tlsFailure } from './tls-failure.ts';
import type { TlsCertificates } from './tls-files.ts';

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
  close(): void;
}

type Settings = ConstructorParameters<typeof SchemaRegistry>[0];
type Middleware = NonNullable<Settings['middlewares']>[number];

const REQUEST_TIMEOUT_MS = 5000;
const FIELD = 'source.kafka.avro.registry';
/** What stands for a schema that is not Avro's: it resolves to none, and says what it is. */
const NOT_AVRO = JSON.stringify({ type: 'not an Avro schema' });
/** The client can list subjects, but has no method for it. */
interface Listing {
  api: { Subject: { all(): Promise<unknown> } };
}

/** What the client makes of no answer at all. */
const NO_ANSWER = 400;

export function schemaRegistry(options: SchemaRegistryOptions): SchemaIds {
  const connections = watchedAgent(options);
  let isRegistry = false;
  let hasAnswered = false;
  const notePage: Middleware = () => ({
    prepareRequest: async (next) => (await next()).enhance({ timeout: REQUEST_TIMEOUT_MS }),
    response: async (next) => {
      const answer = await next();
      // A proxy's page, say: the client would take it for a schema.
      const data: unknown = answer.data();
      if (typeof data !== 'object') throw notARegistry(options.url);
      hasAnswered = true;
      return answer;
    },
  });
  const registry = clientOf(options, connections.agent, notePage);
  /** 404 is the answer for an unknown id, and of a wrong address too. */
  const isUnknown = async (): Promise<null> => {
    if (!isRegistry) {
      await (registry as unknown as Listing).api.Subject.all().catch((error: unknown) => {
        throw statusOf(error) === 404 ? notARegistry(options.url) : error;
      });
    }
    isRegistry = true;
    return null;
  };
  return {
    async schemaOf(id) {
      hasAnswered = false;
      try {
        return await registry.getSchema(id).then(textOf, (error) => {
          if (statusOf(error) === 404) return isUnknown();
          // What the registry has under the id is nothing that the client can read.
          if (hasAnswered && statusOf(error) === null && !(error instanceof RegistryError)) return NOT_AVRO;
          throw error;
        });
      } catch (error) {
        const status = statusOf(error);
        throw status === null ? error : registryError(options.url, status, connections.failure() ?? (error as Error));
      }
    },
    close: () => connections.agent.destroy(),
  };
}

function clientOf({ url, username, password }: SchemaRegistryOptions, agent: HttpAgent, middleware: Middleware) {
  return new SchemaRegistry({
    host: url.replace(/\/+$/, ''),
    clientId: 'zerorate',
    agent,
    // Whoever asks decides how often.
    retry: { retries: 0 },
    middlewares: [middleware],
    ...(username !== undefined && { auth: { username, password: password?.reveal() ?? '' } }),
  });
}

/** The client tells of a broken connection in words only; what TLS found wrong has a code, which is kept here. */
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

/** With defaults and aliases; of Protobuf and JSON Schema the client's own classes have no such text. */
function textOf(schema: unknown): string {
  const { schema: exported } = schema as { schema?: (options: { exportAttrs: boolean }) => unknown };
  return typeof exported === 'function' ? JSON.stringify(exported.call(schema, { exportAttrs: true })) : NOT_AVRO;
}

function notARegistry(url: string): RegistryError {
  return new RegistryError('registry_refused', `${url}: what answers is no schema registry; see ${FIELD}.url`);
}

function registryError(url: string, status: number, failure: Error): RegistryError {
  if (status === 401 || status === 403) {
    const message = `${url}: the schema registry refuses the login (HTTP ${status}); see ${FIELD}.username and its password`;
    return new RegistryError('registry_refused', message);
  }
  const refusal = status === NO_ANSWER ? tlsFailure(failure, `${FIELD}.ssl`) : null;
  if (refusal !== null) return new RegistryError('registry_refused', `${url}: ${refusal}`, failure);
  const why = status === NO_ANSWER ? `does not answer: ${failure.message}` : `answers with HTTP ${status}`;
  return new RegistryError('registry_unavailable', `${url}: the schema registry ${why}`, failure);
}
