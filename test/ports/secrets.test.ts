import { hkdfSync } from 'node:crypto'
import { expect, test } from 'vitest'
import { createSecrets } from '../../adapters/crypto/secrets.ts'

const [older, newer] = [`0x${'01'.repeat(32)}`, `0x${'02'.repeat(32)}`] as const

test('is HKDF-SHA256 of the key, with purpose and subject as info', () => {
  const [derived] = createSecrets([older]).derive('watch-link', 'pi_1')
  const info = 'ice/1/10/watch-link/pi_1'
  expect(derived).toEqual(new Uint8Array(hkdfSync('sha256', Buffer.alloc(32, 1), '', info, 32)))
})

test('keeps purposes and subjects apart', () => {
  const { derive } = createSecrets([older])
  const all = [derive('watch-link', 'a'), derive('watch-link', 'b'), derive('webhook-hmac', 'a')]
  expect(new Set(all.map(([secret]) => Buffer.from(secret).toString('hex'))).size).toBe(3)
})

test('puts the newest key first and keeps what the older one made', () => {
  const before = createSecrets([older]).derive('webhook-hmac', 'we_1')
  const after = createSecrets([newer, older]).derive('webhook-hmac', 'we_1')
  expect(after).toHaveLength(2)
  expect(after[1]).toEqual(before[0])
  expect(after[0]).not.toEqual(before[0])
})
