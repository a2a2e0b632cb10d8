import { freePort } from '../../src/development/servers/free-port.ts';
import { type KafkaBroker, kafkaJars, startKafkaBroker } from '../../src/development/servers/kafka-broker.ts';
import type { CertificateFiles } from './certificates.ts';

/** A broker that checks logins and rights, always from its jars: no other can be given users and certificates. */
export interface SecureKafka extends KafkaBroker {
  /** Listener with TLS, and a login by any mechanism; `brokers` is without TLS and login, and may do everything. */
  secure: string;
  /** Listener with TLS and no login, with an expired certificate. */
  expired: string;
}

export interface SecureKafkaOptions {
  ca: string;
  server: CertificateFiles;
  expired: CertificateFiles;
  /** User of PLAIN and SCRAM. With OAUTHBEARER the user is the `sub` of an unsigned token. */
  user: { name: string; password: string };
}

const LOGIN = 'org.apache.kafka.common.security';

export async function startSecureKafka({ ca, server, expired, user }: SecureKafkaOptions): Promise<SecureKafka> {
  const secure = `127.0.0.1:${await freePort()}`;
  const outdated = `127.0.0.1:${await freePort()}`;
  const { name, password } = user;
  const listeners = `PLAINTEXT://PLAINTEXT_ADDRESS,SECURE://${secure},EXPIRED://${outdated}`;
  const certificates = (listener: string, files: CertificateFiles) => ({
    [`listener.name.${listener}.ssl.keystore.type`]: 'PEM',
    [`listener.name.${listener}.ssl.keystore.location`]: files.both,
    [`listener.name.${listener}.ssl.truststore.type`]: 'PEM',
    [`listener.name.${listener}.ssl.truststore.location`]: ca,
  });
  const login = (mechanism: string, module: string, more = '') => ({
    [`listener.name.secure.${mechanism}.sasl.jaas.config`]: `${LOGIN}.${module} required ${more};`,
  });
  const properties = {
    listeners: `${listeners},CONTROLLER://CONTROLLER_ADDRESS`,
    'advertised.listeners': listeners,
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURE:SASL_SSL,EXPIRED:SSL',
    'sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER',
    ...certificates('secure', server),
    ...certificates('expired', expired),
    ...login('plain', 'plain.PlainLoginModule', `user_${name}="${password}"`),
    ...login('scram-sha-256', 'scram.ScramLoginModule'),
    ...login('scram-sha-512', 'scram.ScramLoginModule'),
    ...login('oauthbearer', 'oauthbearer.OAuthBearerLoginModule', 'unsecuredLoginStringClaim_sub="broker"'),
    'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
    'super.users': 'User:ANONYMOUS',
  };
  const scram = ['SCRAM-SHA-256', 'SCRAM-SHA-512'].flatMap((mechanism) => [
    '--add-scram',
    `${mechanism}=[name=${name},password=${password}]`,
  ]);
  const broker = await startKafkaBroker(await kafkaJars(), properties, scram);
  return { ...broker, secure, expired: outdated };
}
