/** A record of the application of `fixtures/cases/catalogue.yaml`, as JSON; its number is its place in the sequence and its time. */
export function caseFlow(number: number, downlinkOctets = 1000): string {
  return JSON.stringify({
    nodeId: 'gw-1',
    localSequenceNumber: number,
    chargingId: 1,
    recordSequenceNumber: 1,
    servedMsisdn: '999000000001',
    servedImsi: null,
    startTime: Date.UTC(2026, 10, 3, 0, 0, number),
    endTime: Date.UTC(2026, 10, 3, 0, 0, number + 1),
    terminalIp: '10.0.0.1',
    terminalPort: 40000,
    remoteIp: '198.51.100.7',
    remotePort: 443,
    protocol: 6,
    zeroRatingTag: null,
    contentType: 'text',
    ratingGroup: null,
    serviceIdentifier: null,
    uplinkOctets: 10,
    downlinkOctets,
  });
}

/** Records of these numbers as NDJSON. */
export function caseFlows(...numbers: number[]): string {
  return numbers.map((number) => `${caseFlow(number)}\n`).join('');
}
