// The peer in another language: what a Go engineer would write for the same topic with franz-go, today's fastest Kafka
// client there. It reads plain Avro by hand, matches tag or prefix, drops duplicates, counts a month's quota for each
// subscriber and application, prices, writes ClickHouse `Native` blocks over HTTP, and sends a quota update for each
// counter that a batch moved.
//
// What it does not do, and the engine does: exactly once (after a crash records are counted again, and counters start
// from nothing), schemas other than the one it was written for, validation and rejected records, records that conflict with
// an earlier one of the same identity, plans with versions, tiers, content types or time zones, late records, IPv6,
// erasable pseudonyms, rebalancing, metrics. What it cannot read ends it.
//
// Usage: peer BROKER GROUP TOPIC STORE_URL, with APPLICATIONS in the environment (see go-side.ts).
package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// As the engine is configured for the benchmark (engine-config.ts).
const (
	maxBatchRows         = 200_000
	maxBatchDelay        = 100 * time.Millisecond
	maxBytesPerPartition = 8 << 20
	maxFetchBytes        = 64 << 20
	fetchWait            = 100 * time.Millisecond
	maxBufferedUpdates   = 4 * maxBatchRows
)

func main() {
	if len(os.Args) != 5 {
		log.Fatal("usage: peer BROKER GROUP TOPIC STORE_URL")
	}
	broker, group, topic, storeURL := os.Args[1], os.Args[2], os.Args[3], os.Args[4]
	catalogue := readCatalogue(os.Getenv("APPLICATIONS"))
	// A connection for each lane.
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	store := &store{url: storeURL, client: http.Client{Transport: transport}}
	store.createTable()
	client, err := kgo.NewClient(
		kgo.SeedBrokers(broker),
		kgo.ConsumerGroup(group),
		kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.FetchMaxPartitionBytes(maxBytesPerPartition),
		kgo.FetchMaxBytes(maxFetchBytes),
		kgo.FetchMaxWait(fetchWait),
		kgo.AutoCommitMarks(),
		kgo.WithPools(&recordPool{}),
		kgo.DefaultProduceTopic(group+"-quota"),
		kgo.ProducerBatchCompression(kgo.NoCompression()),
		kgo.MaxBufferedRecords(maxBufferedUpdates),
	)
	if err != nil {
		log.Fatal(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	totals := &totals{}
	lanes := map[int32]*lane{}
	for {
		fetches := client.PollFetches(ctx)
		if ctx.Err() != nil {
			return
		}
		fetches.EachError(func(topic string, partition int32, err error) {
			log.Fatalf("%s-%d: %v", topic, partition, err)
		})
		fetches.EachPartition(func(fetched kgo.FetchTopicPartition) {
			if len(fetched.Records) == 0 {
				return
			}
			one := lanes[fetched.Partition]
			if one == nil {
				one = startLane(client, store, catalogue, totals, topic, fetched.Partition)
				lanes[fetched.Partition] = one
			}
			one.fetched <- fetched.FetchPartition
		})
	}
}

// A partition, with its own counters: keyed by subscriber, so lanes share nothing. One goroutine fills a batch while
// another writes the one before.
type lane struct {
	client  *kgo.Client
	store   *store
	rater   *rater
	totals  *totals
	fetched chan kgo.FetchPartition
	filled  chan *batch
	free    chan *batch
}

func startLane(client *kgo.Client, store *store, catalogue *catalogue, totals *totals, topic string, partition int32) *lane {
	one := &lane{
		client:  client,
		store:   store,
		rater:   newRater(catalogue, topic, partition),
		totals:  totals,
		fetched: make(chan kgo.FetchPartition, 1),
		filled:  make(chan *batch),
		free:    make(chan *batch, 2),
	}
	one.free <- &batch{}
	one.free <- &batch{}
	go one.fill()
	go one.write()
	return one
}

// While more records are waiting a batch is written only when it is full; at the log's end, after a delay.
func (l *lane) fill() {
	current := <-l.free
	delay := time.NewTimer(time.Hour)
	isCaughtUp, isDelayed := false, false
	for {
		select {
		case fetched := <-l.fetched:
			for _, record := range fetched.Records {
				if current.rows() == maxBatchRows {
					current = l.handOver(current)
				}
				if err := l.rater.rate(current, record); err != nil {
					log.Fatalf("%s-%d offset %d: %v", record.Topic, record.Partition, record.Offset, err)
				}
				record.Recycle()
			}
			isCaughtUp = current.last.Offset+1 >= fetched.HighWatermark
			if isCaughtUp && !isDelayed {
				delay.Reset(maxBatchDelay)
				isDelayed = true
			}
		case <-delay.C:
			isDelayed = false
			if isCaughtUp && current.records > 0 {
				current = l.handOver(current)
			}
		}
	}
}

func (l *lane) handOver(full *batch) *batch {
	l.rater.takeUpdates(full)
	l.filled <- full
	return <-l.free
}

func (l *lane) write() {
	for full := range l.filled {
		l.store.insert(l.rater, full)
		if err := l.client.ProduceSync(context.Background(), l.rater.encodeUpdates(full)...).FirstErr(); err != nil {
			log.Fatal(err)
		}
		l.client.MarkCommitRecords(&full.last)
		l.totals.add(full)
		full.reset()
		l.free <- full
	}
}

// What is in the store, with its quota updates sent.
type totals struct {
	sync.Mutex
	records, octets, charged uint64
}

func (t *totals) add(done *batch) {
	t.Lock()
	defer t.Unlock()
	t.records += done.records
	t.octets += done.totalOctets
	t.charged += done.charged
	fmt.Printf("{\"records\":%d,\"octets\":%d,\"charged\":%d}\n", t.records, t.octets, t.charged)
}

// franz-go's records, used again.
type recordPool struct{ pool sync.Pool }

func (p *recordPool) GetRecords(n int) []kgo.Record {
	if records, ok := p.pool.Get().([]kgo.Record); ok && cap(records) >= n {
		return records[:n]
	}
	return make([]kgo.Record, n)
}

func (p *recordPool) PutRecords(records []kgo.Record) {
	p.pool.Put(records)
}
