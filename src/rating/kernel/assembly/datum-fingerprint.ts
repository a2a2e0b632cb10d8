// AssemblyScript. The fingerprint of a datum; `record/fingerprint.ts` has the same for records that take the long way.

/** MurmurHash3's mixing (public domain, A. Appleby). */
function mixWord(hash: u32, word: u32): u32 {
  const k = rotl<u32>(word * 0xcc9e2d51, 15);
  return rotl<u32>(hash ^ (k * 0x1b873593), 13) * 5 + 0xe6546b64;
}

function finish(hash: u32): u32 {
  let h = hash;
  h = (h ^ (h >> 16)) * 0x85ebca6b;
  h = (h ^ (h >> 13)) * 0xc2b2ae35;
  return h ^ (h >> 16);
}

/**
 * 32 bits over the octets from `start` to `end`: even words in one hash, odd ones in another, so that the processor works on
 * both at once; the octets after the last eight one by one. About 0.4 ns an octet.
 */
export function datumFingerprint(start: usize, end: usize): u32 {
  let even: u32 = <u32>(end - start);
  let odd: u32 = 0;
  let at = start;
  for (; at + 8 <= end; at += 8) {
    even = mixWord(even, load<u32>(at));
    odd = mixWord(odd, load<u32>(at + 4));
  }
  for (; at < end; at++) even = mixWord(even, load<u8>(at));
  return finish(mixWord(even, odd));
}
