package main

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"io"
	"log"
	"net/http"
	"net/url"
	"time"
	"unsafe"

	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	createTable = `CREATE TABLE charges (node_id LowCardinality(String), local_sequence_number Int64, subscriber FixedString(16),
    end_time DateTime64(3), application_id LowCardinality(String), sponsor_id LowCardinality(String), octets UInt64,
    sponsored_octets UInt64, charge_micros UInt64, partition UInt32, record_offset Int64)
  ENGINE = MergeTree ORDER BY (sponsor_id, application_id, end_time)`
	insertRows = "INSERT INTO charges FORMAT Native"
)

type row struct {
	sequence, endTimeMs, offset int64
	octets, sponsored, micros   uint64
	subscriber                  subscriberID
	node                        uint32
	application, sponsor        uint8
}

// Rows by column, and what else is written with them.
type batch struct {
	nodes                          []uint32
	sequences, endTimesMs, offsets []int64
	subscribers                    []subscriberID
	applications, sponsors         []uint8
	octets, sponsored, micros      []uint64
	records, totalOctets, charged  uint64
	last                           kgo.Record
	updates                        []counter
	version                        uint64
	nodeNames                      []string
	months                         []time.Time
	pseudonyms                     []subscriberID
	block, encoded                 []byte
}

func (b *batch) rows() int { return len(b.nodes) }

func (b *batch) append(r row) {
	b.nodes = append(b.nodes, r.node)
	b.sequences = append(b.sequences, r.sequence)
	b.endTimesMs = append(b.endTimesMs, r.endTimeMs)
	b.offsets = append(b.offsets, r.offset)
	b.subscribers = append(b.subscribers, r.subscriber)
	b.applications = append(b.applications, r.application)
	b.sponsors = append(b.sponsors, r.sponsor)
	b.octets = append(b.octets, r.octets)
	b.sponsored = append(b.sponsored, r.sponsored)
	b.micros = append(b.micros, r.micros)
}

func (b *batch) reset() {
	*b = batch{
		nodes: b.nodes[:0], sequences: b.sequences[:0], endTimesMs: b.endTimesMs[:0], offsets: b.offsets[:0],
		subscribers: b.subscribers[:0], applications: b.applications[:0], sponsors: b.sponsors[:0],
		octets: b.octets[:0], sponsored: b.sponsored[:0], micros: b.micros[:0],
		updates: b.updates[:0], block: b.block[:0], encoded: b.encoded[:0],
	}
}

// ClickHouse's HTTP interface.
type store struct {
	url    string
	client http.Client
}

func (s *store) createTable() { s.post(createTable, nil) }

func (s *store) insert(r *rater, full *batch) {
	if full.rows() > 0 {
		full.encodeBlock(r.catalogue, r.partition)
		s.post(insertRows, full.block)
	}
}

func (s *store) post(statement string, data []byte) {
	answer, err := s.client.Post(s.url+"/?query="+url.QueryEscape(statement), "application/octet-stream", bytes.NewReader(data))
	if err != nil {
		log.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		log.Fatalf("the store answered %s: %s %v", answer.Status, text, err)
	}
}

// https://clickhouse.com/docs/interfaces/formats/Native
func (b *batch) encodeBlock(c *catalogue, partition int32) {
	names := make([]string, len(c.applications))
	for index, one := range c.applications {
		names[index] = one.ID
	}
	partitions := make([]uint32, b.rows())
	for index := range partitions {
		partitions[index] = uint32(partition)
	}
	out := binary.AppendUvarint(b.block[:0], 11)
	out = binary.AppendUvarint(out, uint64(b.rows()))
	out = appendFewTexts(out, "node_id", b.nodeNames, keysOf32, bytesOf(b.nodes), b.rows())
	out = appendFixed(out, "local_sequence_number", "Int64", bytesOf(b.sequences))
	out = appendFixed(out, "subscriber", "FixedString(16)", bytesOf(b.subscribers))
	out = appendFixed(out, "end_time", "DateTime64(3)", bytesOf(b.endTimesMs))
	out = appendFewTexts(out, "application_id", names, keysOf8, b.applications, b.rows())
	out = appendFewTexts(out, "sponsor_id", c.sponsors, keysOf8, b.sponsors, b.rows())
	out = appendFixed(out, "octets", "UInt64", bytesOf(b.octets))
	out = appendFixed(out, "sponsored_octets", "UInt64", bytesOf(b.sponsored))
	out = appendFixed(out, "charge_micros", "UInt64", bytesOf(b.micros))
	out = appendFixed(out, "partition", "UInt32", bytesOf(partitions))
	b.block = appendFixed(out, "record_offset", "Int64", bytesOf(b.offsets))
}

const (
	lowCardinalityVersion = 1
	additionalKeys        = 1 << 9
	updateDictionary      = 1 << 10
	keysOf8               = 0
	keysOf32              = 2
)

func appendFewTexts(out []byte, name string, texts []string, keyType uint64, keys []byte, rows int) []byte {
	out = appendText(appendText(out, name), "LowCardinality(String)")
	out = binary.LittleEndian.AppendUint64(out, lowCardinalityVersion)
	out = binary.LittleEndian.AppendUint64(out, keyType|additionalKeys|updateDictionary)
	out = binary.LittleEndian.AppendUint64(out, uint64(len(texts)))
	for _, text := range texts {
		out = appendText(out, text)
	}
	out = binary.LittleEndian.AppendUint64(out, uint64(rows))
	return append(out, keys...)
}

func appendFixed(out []byte, name, kind string, values []byte) []byte {
	return append(appendText(appendText(out, name), kind), values...)
}

func appendText(out []byte, text string) []byte {
	return append(binary.AppendUvarint(out, uint64(len(text))), text...)
}

// Little-endian, as the machines that this runs on.
func bytesOf[T any](values []T) []byte {
	if len(values) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&values[0])), len(values)*int(unsafe.Sizeof(values[0])))
}

// Plain Avro in the order of schemas/quota-update.avsc, one message for each counter that the batch moved.
func (r *rater) encodeUpdates(full *batch) []*kgo.Record {
	messages := make([]kgo.Record, len(full.updates))
	sent := make([]*kgo.Record, len(full.updates))
	out := full.encoded[:0]
	for index, moved := range full.updates {
		one := r.catalogue.applications[moved.application]
		pseudonym := full.pseudonyms[moved.subscriber]
		keyFrom := len(out)
		out = hex.AppendEncode(out, pseudonym[:])
		out = append(append(out, '|'), one.ID...)
		out = append(out, "-plan"...)
		valueFrom := len(out)
		out = binary.AppendVarint(out, int64(2*len(pseudonym)))
		out = hex.AppendEncode(out, pseudonym[:])
		out = appendAvroText(out, one.Sponsor)
		out = appendAvroText(out, one.ID)
		out = append(appendAvroLength(out, len(one.ID)+len("-plan")), one.ID...)
		out = append(out, "-plan"...)
		out = binary.AppendVarint(out, 1) // planVersion
		out = binary.AppendVarint(out, full.months[moved.month].Unix()/86_400)
		out = binary.AppendVarint(out, quotaOctets)
		out = binary.AppendVarint(out, int64(moved.used))
		out = binary.AppendVarint(out, int64(quotaOctets-moved.used))
		out = binary.AppendVarint(out, 0) // thresholdReached
		out = binary.AppendVarint(out, int64(full.version))
		out = appendAvroText(out, r.topic)
		out = binary.AppendVarint(out, int64(r.partition))
		out = binary.AppendVarint(out, int64(moved.offset))
		// Spans of memory that may have moved since keep what was written there.
		messages[index].Key, messages[index].Value = out[keyFrom:valueFrom:valueFrom], out[valueFrom:len(out):len(out)]
		sent[index] = &messages[index]
	}
	full.encoded = out
	return sent
}

func appendAvroText(out []byte, text string) []byte {
	return append(appendAvroLength(out, len(text)), text...)
}

func appendAvroLength(out []byte, length int) []byte {
	return binary.AppendVarint(out, int64(length))
}
