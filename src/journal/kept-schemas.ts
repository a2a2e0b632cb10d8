import { NOT_AVRO } from '../platform/schema-registry.ts';
import { literal, type Store } from '../platform/store.ts';

/** The schemas that a topic's records were decoded with, as JSON text by the id in their header. */
export async function keptSchemas(store: Store, topic: string): Promise<Map<number, string>> {
  const rows = await store.query<{ id: number; document: string }>(
    `SELECT schema_id AS id, document FROM writer_schemas WHERE topic = ${literal(topic)} ORDER BY schema_id, learnt_at`,
  );
  // The first that was learnt; another one is never booked with. An earlier version took some of Java's for none.
  const known = rows.filter(({ document }) => document !== NOT_AVRO);
  return new Map([...rows, ...known.reverse()].map(({ id, document }) => [Number(id), document]));
}

/**
 * Keeps a schema before a record is decoded with it. Gives the one that is kept for the id: of two engines that learn it at
 * once, both get the same.
 */
export async function keepSchema(store: Store, topic: string, id: number, document: string): Promise<string> {
  const kept = async () => (await keptSchemas(store, topic)).get(id);
  const known = await kept();
  if (known !== undefined && known !== NOT_AVRO) return known;
  await store.command(
    `INSERT INTO writer_schemas (topic, schema_id, document) SELECT ${literal(topic)}, ${id}, ${literal(document)}`,
  );
  return (await kept()) ?? document;
}
