package main

import (
	"encoding/binary"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

const applications = `[{"id":"a","sponsor":"s","tag":"T","prefix":"198.18.1.0/24","microsPerMiB":1000},
  {"id":"b","sponsor":"s","tag":"U","prefix":"198.18.1.128/25","microsPerMiB":3}]`

// Everything that is not given is empty, null or 0.
func encode(node string, sequence int64, msisdn, remoteIP, tag string, uplink, downlink int64) []byte {
	out := appendAvroText([]byte{0, 0, 0, 0, 1}, node)
	out = append(binary.AppendVarint(out, sequence), 0, 0)
	out = append(appendAvroText(out, msisdn), 0, 0)
	out = append(binary.AppendVarint(out, 1_790_812_800_000), 0)
	out = append(appendAvroText(out, remoteIP), 0, 0, 0)
	if tag == "" {
		out = append(out, 0)
	} else {
		out = appendAvroText(append(out, 2), tag)
	}
	out = append(out, 0, 0, 0)
	out = binary.AppendVarint(binary.AppendVarint(out, uplink), downlink)
	return append(out, 0, 0)
}

func rateAll(t *testing.T, r *rater, values ...[]byte) *batch {
	into := &batch{}
	for offset, value := range values {
		if err := r.rate(into, &kgo.Record{Value: value, Offset: int64(offset)}); err != nil {
			t.Fatal(err)
		}
	}
	r.takeUpdates(into)
	return into
}

func TestDuplicatesAreDropped(t *testing.T) {
	one := encode("n", 7, "49", "10.0.0.1", "T", 1<<20, 0)
	other := encode("n", 7+pageNumbers, "49", "10.0.0.1", "T", 1<<20, 0)
	done := rateAll(t, newRater(readCatalogue(applications), "flows", 0), one, other, one, other)
	if done.records != 4 || done.rows() != 2 || done.charged != 2 || done.totalOctets != 2<<20 {
		t.Fatalf("%d records, %d rows, %d charged, %d octets", done.records, done.rows(), done.charged, done.totalOctets)
	}
	if len(done.updates) != 1 || done.updates[0].used != 2<<20 {
		t.Fatalf("updates: %v", done.updates)
	}
}

func TestTagBeforeTheLongestPrefix(t *testing.T) {
	c := readCatalogue(applications)
	for _, one := range []struct {
		tag, remoteIP string
		application   uint8
	}{{"T", "198.18.1.200", 1}, {"", "198.18.1.200", 2}, {"", "198.18.1.20", 1}, {"V", "10.0.0.1", 0}, {"", "2001:db8::1", 0}} {
		if number := c.classify([]byte(one.tag), []byte(one.remoteIP)); number != one.application {
			t.Errorf("%v: %d", one, number)
		}
	}
}

func TestPricesAreRoundedHalfUp(t *testing.T) {
	for _, one := range [][3]uint64{{1 << 19, 1, 1}, {1<<19 - 1, 1, 0}, {3 << 19, 1, 2}, {1 << 50, 1 << 20, 1 << 50}} {
		if micros := price(one[0], one[1]); micros != one[2] {
			t.Errorf("%d octets at %d: %d", one[0], one[1], micros)
		}
	}
}

func TestWhatIsCutOffIsNoFlow(t *testing.T) {
	whole := encode("node", 7, "491701234567", "198.18.1.2", "T", 300, 400)
	for length := range whole {
		if readFlow(whole[:length], &flow{}) == nil {
			t.Errorf("%d of %d bytes were read", length, len(whole))
		}
	}
	if readFlow(append(whole, 0), &flow{}) == nil {
		t.Error("a byte too many was read")
	}
}
