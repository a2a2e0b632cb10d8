-- What proves that a source is still the one that was read: a file by its content up to the batch's end, a Kafka partition by the
-- record at the batch's last offset. Batches of before have none.
ALTER TABLE journal
    ADD COLUMN IF NOT EXISTS source_proof String
        COMMENT 'batch rows: octets and SHA-256 of what proves the source, as 1024:9f86...; files: their content up to the batch''s end, unpacked; Kafka: the record at the batch''s last offset; empty where there is none' AFTER gap_reason;
