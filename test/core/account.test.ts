import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type AccountState, availableFloor, isNonceSpent, judgeNonce, nextNonce } from '../../core/account.ts'

const fresh: AccountState = {
  balance: 1_000n,
  topNonce: 0n,
  nonceWindow: 0n,
  relayerId: 1,
  withdrawAmount: 0n,
  isRebinding: false,
}
const at = (topNonce: bigint, nonceWindow = 1n): AccountState => ({ ...fresh, topNonce, nonceWindow })

/** The vault's rule, word for word, so that the domain is judged by another implementation. @see contracts/lib/AccountWord.sol */
function spend(account: AccountState, nonce: bigint): AccountState | undefined {
  const { topNonce: top, nonceWindow: window } = account
  if (nonce <= top) {
    const age = top - nonce
    if (age >= 64n || ((window >> age) & 1n) === 1n) return undefined
    return { ...account, nonceWindow: window | (1n << age) }
  }
  if (nonce - top > 64n) return undefined
  return { ...account, topNonce: nonce, nonceWindow: BigInt.asUintN(64, (window << (nonce - top)) | 1n) }
}

const anyAccount = fc
  .record({ topNonce: fc.bigInt(0n, 200n), nonceWindow: fc.bigInt(0n, 2n ** 64n - 1n) })
  .map(({ topNonce, nonceWindow }) => at(topNonce, topNonce === 0n ? nonceWindow & 1n : nonceWindow | 1n))

/** Open payments as they come to be: each was judged on top of those before it. */
const accountWithOpen = fc
  .tuple(anyAccount, fc.array(fc.bigInt(0n, 300n), { maxLength: 80 }))
  .map(([account, wishes]) => {
    const open: bigint[] = []
    for (const nonce of wishes) if (judgeNonce(account, open, nonce) === 'ok') open.push(nonce)
    return { account, open }
  })

describe('spent nonces', () => {
  test('agree with the vault for every word and nonce', () => {
    fc.assert(
      fc.property(anyAccount, fc.bigInt(0n, 300n), (account, nonce) => {
        const isRefused = spend(account, nonce) === undefined
        const isTooFar = nonce > account.topNonce + 64n
        expect(isNonceSpent(account, nonce)).toBe(isRefused && !isTooFar)
      }),
    )
  })

  test('an unused nonce lives at an age of 63 and counts as spent at 64', () => {
    expect(isNonceSpent(at(100n), 37n)).toBe(false)
    expect(isNonceSpent(at(100n), 36n)).toBe(true)
  })

  test('nonce 0 of a fresh account is not spent', () => {
    expect(isNonceSpent(fresh, 0n)).toBe(false)
    expect(isNonceSpent(at(0n, 1n), 0n)).toBe(true)
  })
})

describe('judging a nonce', () => {
  test('in whatever order open payments settle, the vault takes every one of them', () => {
    const inAnyOrder = accountWithOpen.chain(({ account, open }) =>
      fc.shuffledSubarray(open, { minLength: open.length }).map((order) => ({ account, order })),
    )
    fc.assert(
      fc.property(inAnyOrder, ({ account, order }) => {
        let now: AccountState | undefined = account
        for (const nonce of order) {
          now = spend(now, nonce)
          if (now === undefined) throw new Error(`nonce ${nonce} was pushed out by ${order}`)
        }
      }),
      { numRuns: 500 },
    )
  })

  test('some of the open payments may settle between two judgements', () => {
    fc.assert(
      fc.property(accountWithOpen, fc.nat(), fc.bigInt(0n, 400n), ({ account, open }, cut, wish) => {
        const settled = open.slice(0, open.length === 0 ? 0 : cut % open.length)
        const rest = open.slice(settled.length)
        const later = settled.reduce<AccountState>((now, nonce) => spend(now, nonce) ?? now, account)
        if (judgeNonce(later, rest, wish) !== 'ok') return
        for (const order of [
          [wish, ...rest],
          [...rest, wish],
        ]) {
          const end = order.reduce<AccountState | undefined>((now, nonce) => now && spend(now, nonce), later)
          expect(end, `${order} from top ${later.topNonce}`).toBeDefined()
        }
      }),
    )
  })

  test('refuses only what could push another out, or be pushed out itself', () => {
    fc.assert(
      fc.property(accountWithOpen, fc.bigInt(0n, 300n), ({ account, open }, nonce) => {
        if (judgeNonce(account, open, nonce) !== 'too_far') return
        const lowest = [...open, nonce].reduce((low, each) => (each < low ? each : low))
        const highest = [...open, nonce, account.topNonce].reduce((high, each) => (each > high ? each : high))
        expect(highest - lowest >= 64n || nonce - account.topNonce > 64n).toBe(true)
      }),
    )
  })

  test('takes a jump of 63 and of 64 above the top, and refuses 65', () => {
    expect(judgeNonce(at(10n), [], 73n)).toBe('ok')
    expect(judgeNonce(at(10n), [], 74n)).toBe('ok')
    expect(judgeNonce(at(10n), [], 75n)).toBe('too_far')
  })

  test('keeps open payments 63 apart and refuses 64', () => {
    expect(judgeNonce(at(10n), [11n], 74n)).toBe('ok')
    expect(judgeNonce(at(10n), [10n + 2n], 76n)).toBe('too_far')
    expect(judgeNonce(at(20n), [11n], 74n)).toBe('ok')
    expect(judgeNonce(at(20n), [11n], 75n)).toBe('too_far')
  })

  test('counts the distance to the top of the chain, not only to open payments', () => {
    expect(judgeNonce(at(74n, 1n), [], 11n)).toBe('ok')
    expect(judgeNonce(at(75n, 1n), [], 11n)).toBe('spent')
  })

  test('a spent nonce is spent and an open one is taken', () => {
    expect(judgeNonce(at(10n), [], 10n)).toBe('spent')
    expect(judgeNonce(at(10n), [12n], 12n)).toBe('taken')
  })
})

describe('the next nonce', () => {
  test('is always one that would be judged ok', () => {
    fc.assert(
      fc.property(accountWithOpen, ({ account, open }) => {
        const nonce = nextNonce(account, open)
        if (nonce !== undefined) expect(judgeNonce(account, open, nonce)).toBe('ok')
      }),
    )
  })

  test('is missing only if no nonce at all would be ok', () => {
    fc.assert(
      fc.property(accountWithOpen, ({ account, open }) => {
        if (nextNonce(account, open) !== undefined) return
        for (let nonce = 0n; nonce <= account.topNonce + 70n; nonce++) {
          expect(judgeNonce(account, open, nonce)).not.toBe('ok')
        }
      }),
    )
  })

  test('of a fresh account is 0, then 1, and the 65th waits for a payment to end', () => {
    const open: bigint[] = []
    for (let expected = 0n; expected < 64n; expected++) {
      expect(nextNonce(fresh, open)).toBe(expected)
      open.push(expected)
    }
    expect(nextNonce(fresh, open)).toBeUndefined()
    expect(nextNonce(fresh, open.slice(1))).toBe(64n)
  })

  test('fills a gap when the way up is barred', () => {
    expect(nextNonce(at(10n), [11n, 74n])).toBe(12n)
  })
})

describe('what is free', () => {
  test('is what is left of the balance after withdrawals and promises', () => {
    expect(availableFloor({ ...fresh, balance: 100n, withdrawAmount: 30n }, 70n)).toBe(0n)
    expect(availableFloor({ ...fresh, balance: 100n, withdrawAmount: 30n }, 69n)).toBe(1n)
  })

  test('is never below zero', () => {
    expect(availableFloor({ ...fresh, balance: 100n, withdrawAmount: 30n }, 71n)).toBe(0n)
    expect(availableFloor({ ...fresh, balance: 1n, withdrawAmount: 2n ** 128n - 1n }, 0n)).toBe(0n)
  })
})
