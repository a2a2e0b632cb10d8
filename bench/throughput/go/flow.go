package main

import "errors"

const confluentHeaderBytes = 5

var errNotFlow = errors.New("is no flow record of schemas/flow-record.avsc after a Confluent header")

// The fields that rating needs; texts are spans of the message.
type flow struct {
	node, msisdn, remoteIP, tag []byte
	sequence, endTimeMs         int64
	octets                      uint64
}

// Reads plain Avro in the order of schemas/flow-record.avsc.
type avroReader struct {
	bytes []byte
	at    int
	bad   bool
}

func readFlow(value []byte, into *flow) error {
	if len(value) < confluentHeaderBytes || value[0] != 0 {
		return errNotFlow
	}
	r := avroReader{bytes: value, at: confluentHeaderBytes}
	into.node = r.text()
	into.sequence = r.long()
	r.long() // chargingId
	r.long() // recordSequenceNumber
	into.msisdn = r.text()
	r.optionalText() // servedImsi
	r.long()         // startTime
	into.endTimeMs = r.long()
	r.text() // terminalIp
	into.remoteIP = r.text()
	r.long() // terminalPort
	r.long() // remotePort
	r.long() // protocol
	into.tag = r.optionalText()
	r.optionalText() // contentType
	r.optionalLong() // ratingGroup
	r.optionalLong() // serviceIdentifier
	uplink, downlink := r.long(), r.long()
	r.optionalText() // sponsorIdentity
	r.optionalText() // applicationServiceProviderIdentity
	r.optionalText() // servingPlmn
	r.optionalLong() // ratType
	r.optionalText() // trackingArea
	r.optionalText() // detectedApplication
	r.optionalText() // detectedBy
	r.optionalText() // accountId
	if r.bad || r.at != len(value) || uplink < 0 || downlink < 0 {
		return errNotFlow
	}
	into.octets = uint64(uplink) + uint64(downlink)
	return nil
}

// Zigzag.
func (r *avroReader) long() int64 {
	var bits uint64
	for shift := uint(0); shift < 64 && r.at < len(r.bytes); shift += 7 {
		octet := r.bytes[r.at]
		r.at++
		bits |= uint64(octet&0x7f) << shift
		if octet < 0x80 {
			return int64(bits>>1) ^ -int64(bits&1)
		}
	}
	r.bad = true
	return 0
}

func (r *avroReader) text() []byte {
	length := r.long()
	if length < 0 || length > int64(len(r.bytes)-r.at) {
		r.bad = true
		return nil
	}
	from := r.at
	r.at += int(length)
	return r.bytes[from:r.at]
}

func (r *avroReader) isPresent() bool {
	branch := r.long()
	r.bad = r.bad || branch < 0 || branch > 1
	return branch == 1
}

func (r *avroReader) optionalText() []byte {
	if r.isPresent() {
		return r.text()
	}
	return nil
}

func (r *avroReader) optionalLong() {
	if r.isPresent() {
		r.long()
	}
}
