package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"log"
	"math/bits"
	"net/netip"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	quotaOctets    = 1 << 50
	wholeShare     = 10_000 // basis points
	octetsPerPrice = 1 << 20
	pageNumbers    = 1 << 12
)

type application struct {
	ID           string `json:"id"`
	Sponsor      string `json:"sponsor"`
	Tag          string `json:"tag"`
	Prefix       string `json:"prefix"`
	MicrosPerMiB uint64 `json:"microsPerMiB"`
}

// Applications count from 1: 0 is a record that has no sponsor.
type catalogue struct {
	applications []application
	byTag        map[string]uint8
	// By prefix length, the longest first.
	prefixes  []prefixTable
	sponsors  []string
	sponsorOf []uint8
}

type prefixTable struct {
	shift   uint
	byValue map[uint32]uint8
}

func readCatalogue(document string) *catalogue {
	c := &catalogue{byTag: map[string]uint8{}, sponsors: []string{""}, sponsorOf: []uint8{0}}
	listed := []application{}
	if err := json.Unmarshal([]byte(document), &listed); err != nil {
		log.Fatalf("APPLICATIONS: %v", err)
	}
	if len(listed) > 255 {
		log.Fatal("APPLICATIONS: at most 255")
	}
	c.applications = append([]application{{}}, listed...)
	byLength := map[int]map[uint32]uint8{}
	bySponsor := map[string]uint8{}
	for index, one := range c.applications[1:] {
		number := uint8(index + 1)
		c.byTag[one.Tag] = number
		prefix := netip.MustParsePrefix(one.Prefix)
		if byLength[prefix.Bits()] == nil {
			byLength[prefix.Bits()] = map[uint32]uint8{}
		}
		address, _ := addressOf([]byte(prefix.Addr().String()))
		byLength[prefix.Bits()][address>>(32-prefix.Bits())] = number
		sponsor, isKnown := bySponsor[one.Sponsor]
		if !isKnown {
			sponsor = uint8(len(c.sponsors))
			bySponsor[one.Sponsor] = sponsor
			c.sponsors = append(c.sponsors, one.Sponsor)
		}
		c.sponsorOf = append(c.sponsorOf, sponsor)
	}
	for length := 32; length > 0; length-- {
		if byLength[length] != nil {
			c.prefixes = append(c.prefixes, prefixTable{shift: uint(32 - length), byValue: byLength[length]})
		}
	}
	return c
}

// By tag, otherwise by the longest prefix.
func (c *catalogue) classify(tag, remoteIP []byte) uint8 {
	if number := c.byTag[string(tag)]; number != 0 {
		return number
	}
	address, isIPv4 := addressOf(remoteIP)
	if !isIPv4 {
		return 0
	}
	for _, table := range c.prefixes {
		if number := table.byValue[address>>table.shift]; number != 0 {
			return number
		}
	}
	return 0
}

func addressOf(text []byte) (address uint32, isIPv4 bool) {
	var part, dots uint32
	for _, letter := range text {
		switch {
		case letter == '.':
			address, part = address<<8|part, 0
			dots++
		case letter >= '0' && letter <= '9':
			part = part*10 + uint32(letter-'0')
		default:
			return 0, false
		}
	}
	return address<<8 | part, dots == 3
}

type counter struct {
	used, offset uint64
	subscriber   uint32
	month        uint16
	application  uint8
	isMoved      bool
}

type subscriberID [16]byte

// A node's numbers are consecutive: a bit each, in pages.
type node struct {
	pages    map[int64]*[pageNumbers / 64]uint64
	page     *[pageNumbers / 64]uint64
	pageFrom int64
}

// A lane's tables.
type rater struct {
	catalogue    *catalogue
	topic        string
	partition    int32
	numberOfNode map[string]uint32
	nodeNames    []string
	nodes        []node
	subscriberOf map[string]uint32
	pseudonyms   []subscriberID
	counterOf    map[uint64]uint32
	counters     []counter
	moved        []uint32
	written      uint64
	months       []time.Time
	month        uint16
	monthFromMs  int64
	monthUntilMs int64
	pseudonymKey []byte
	flow         flow
}

func newRater(catalogue *catalogue, topic string, partition int32) *rater {
	return &rater{
		catalogue: catalogue, topic: topic, partition: partition,
		numberOfNode: map[string]uint32{}, subscriberOf: map[string]uint32{}, counterOf: map[uint64]uint32{},
		pseudonymKey: make([]byte, sha256.Size),
	}
}

// Adds the record to the batch: a row, unless it is a duplicate.
func (r *rater) rate(into *batch, record *kgo.Record) error {
	flow := &r.flow
	if err := readFlow(record.Value, flow); err != nil {
		return err
	}
	into.records++
	into.last = kgo.Record{Topic: r.topic, Partition: r.partition, Offset: record.Offset, LeaderEpoch: record.LeaderEpoch}
	nodeNumber := r.nodeNumber(flow.node)
	if !r.nodes[nodeNumber].isFirst(flow.sequence) {
		return nil
	}
	subscriber := r.subscriber(flow.msisdn)
	number := r.catalogue.classify(flow.tag, flow.remoteIP)
	var sponsored, micros uint64
	if number != 0 {
		one := r.counter(subscriber, number, flow.endTimeMs)
		sponsored = min(share(flow.octets), quotaOctets-one.used)
		one.used += sponsored
		one.offset = uint64(record.Offset)
		micros = price(sponsored, r.catalogue.applications[number].MicrosPerMiB)
		into.charged++
	}
	into.totalOctets += flow.octets
	into.append(row{
		node: nodeNumber, sequence: flow.sequence, subscriber: r.pseudonyms[subscriber], endTimeMs: flow.endTimeMs,
		application: number, sponsor: r.catalogue.sponsorOf[number],
		octets: flow.octets, sponsored: sponsored, micros: micros, offset: record.Offset,
	})
	return nil
}

func share(octets uint64) uint64 {
	high, low := bits.Mul64(octets, wholeShare)
	whole, _ := bits.Div64(high, low, 10_000)
	return whole
}

// Rounded half up. Exact: 128 bits between.
func price(octets, microsPerMiB uint64) uint64 {
	high, low := bits.Mul64(octets, microsPerMiB)
	low, carry := bits.Add64(low, octetsPerPrice/2, 0)
	micros, _ := bits.Div64(high+carry, low, octetsPerPrice)
	return micros
}

func (r *rater) nodeNumber(name []byte) uint32 {
	if number, isKnown := r.numberOfNode[string(name)]; isKnown {
		return number
	}
	number := uint32(len(r.nodes))
	r.numberOfNode[string(name)] = number
	r.nodeNames = append(r.nodeNames, string(name))
	r.nodes = append(r.nodes, node{pages: map[int64]*[pageNumbers / 64]uint64{}, pageFrom: -1})
	return number
}

func (n *node) isFirst(sequence int64) bool {
	if from := sequence &^ (pageNumbers - 1); from != n.pageFrom || n.page == nil {
		n.page = n.pages[from]
		if n.page == nil {
			n.page = new([pageNumbers / 64]uint64)
			n.pages[from] = n.page
		}
		n.pageFrom = from
	}
	word, bit := &n.page[(sequence&(pageNumbers-1))>>6], uint64(1)<<(sequence&63)
	isFirst := *word&bit == 0
	*word |= bit
	return isFirst
}

func (r *rater) subscriber(msisdn []byte) uint32 {
	if number, isKnown := r.subscriberOf[string(msisdn)]; isKnown {
		return number
	}
	number := uint32(len(r.pseudonyms))
	r.subscriberOf[string(msisdn)] = number
	code := hmac.New(sha256.New, r.pseudonymKey)
	code.Write(msisdn)
	r.pseudonyms = append(r.pseudonyms, subscriberID(code.Sum(nil)[:16]))
	return number
}

func (r *rater) counter(subscriber uint32, application uint8, endTimeMs int64) *counter {
	month := r.monthOf(endTimeMs)
	key := uint64(subscriber)<<32 | uint64(month)<<8 | uint64(application)
	number, isKnown := r.counterOf[key]
	if !isKnown {
		number = uint32(len(r.counters))
		r.counterOf[key] = number
		r.counters = append(r.counters, counter{subscriber: subscriber, month: month, application: application})
	}
	one := &r.counters[number]
	if !one.isMoved {
		one.isMoved = true
		r.moved = append(r.moved, number)
	}
	return one
}

// The place in `months`. Most records are of the same month as the one before.
func (r *rater) monthOf(timeMs int64) uint16 {
	if timeMs >= r.monthFromMs && timeMs < r.monthUntilMs {
		return r.month
	}
	at := time.UnixMilli(timeMs).UTC()
	from := time.Date(at.Year(), at.Month(), 1, 0, 0, 0, 0, time.UTC)
	r.monthFromMs, r.monthUntilMs = from.UnixMilli(), from.AddDate(0, 1, 0).UnixMilli()
	for index, known := range r.months {
		if known.Equal(from) {
			r.month = uint16(index)
			return r.month
		}
	}
	r.month = uint16(len(r.months))
	r.months = append(r.months, from)
	return r.month
}

// Copies the counters that the batch moved, so that the next batch can move them while this one is written.
func (r *rater) takeUpdates(full *batch) {
	r.written += full.records
	full.version = r.written
	full.nodeNames, full.months, full.pseudonyms = r.nodeNames, r.months, r.pseudonyms
	for _, number := range r.moved {
		full.updates = append(full.updates, r.counters[number])
		r.counters[number].isMoved = false
	}
	r.moved = r.moved[:0]
}
