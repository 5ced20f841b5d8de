const tableBits = 13
/** Matches reach this far back, exclusive. */
const distanceMax = 1 << tableBits
const literalRunMax = 32
const matchPieceMax = 262
/** No match starts in the last 14 bytes or covers the last five, so that a reader of words stays inside the input. */
const startTail = 14
const matchTail = 5

/**
 * How many bytes FastLZ (level 1) makes of `input`. OP Stack chains charge for data by this number, taken over the whole
 * signed transaction; only the length is computed, as their fee rule does.
 * @see https://specs.optimism.io/protocol/fjord/exec-engine.html#fjord-l1-cost-fee-changes-fastlz-estimator
 */
export function fastLzLength(input: Uint8Array): number {
  const byteAt = (at: number): number => input[at] ?? 0
  const threeAt = (at: number): number => byteAt(at) | (byteAt(at + 1) << 8) | (byteAt(at + 2) << 16)
  const slotOf = (three: number): number => Math.imul(three, 0x9e3779b9) >>> (32 - tableBits)
  /** Where each hash of three bytes was seen last. */
  const seen = new Uint32Array(1 << tableBits)
  const startsBefore = input.length - startTail
  const endsBefore = input.length - matchTail

  let length = 0
  let written = 0
  let at = 2
  while (at < startsBefore) {
    const three = threeAt(at)
    const slot = slotOf(three)
    const earlier = seen[slot] ?? 0
    seen[slot] = at
    if (at - earlier >= distanceMax || three !== threeAt(earlier)) {
      at += 1
      continue
    }
    length += literalBytes(at - written)
    let matched = 3
    while (at + matched < endsBefore && byteAt(earlier + matched) === byteAt(at + matched)) matched += 1
    length += matchBytes(matched)
    // The two last positions of a match are remembered, those inside it are not.
    at += matched - 2
    seen[slotOf(threeAt(at))] = at
    seen[slotOf(threeAt(at + 1))] = at + 1
    at += 2
    written = at
  }
  return length + literalBytes(input.length - written)
}

/** One more byte in front of every run of up to 32. */
function literalBytes(count: number): number {
  return count + Math.ceil(count / literalRunMax)
}

/** A match of 3 to 8 bytes is written in two, a longer one in three. */
function matchBytes(count: number): number {
  const beyondFirst = count - 3
  const pieces = Math.floor(beyondFirst / matchPieceMax)
  return pieces * 3 + (beyondFirst % matchPieceMax >= 6 ? 3 : 2)
}
