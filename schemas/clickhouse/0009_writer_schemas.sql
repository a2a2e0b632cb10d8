-- Every schema that the schema registry gave for an id, before a record was decoded with it: the id stands for it from then on,
-- so a replay decodes as was decoded then, with the registry or without it.
CREATE TABLE IF NOT EXISTS writer_schemas
(
    topic LowCardinality(String) COMMENT 'Kafka topic whose records named the id',
    schema_id UInt32 COMMENT 'id in the Confluent header of a record',
    document String COMMENT 'the Avro schema as JSON, with all that it refers to',
    learnt_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'when an engine first asked for it'
)
ENGINE = MergeTree
ORDER BY (topic, schema_id)
SETTINGS fsync_after_insert = 1, old_parts_lifetime = 480
COMMENT 'schemas of the schema registry that records were decoded with';
