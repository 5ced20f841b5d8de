import { expect, test } from 'vitest'
import { pauseMillis } from '../../core/archive.ts'

test.each([
  [1, 1_000],
  [2, 2_000],
  [10, 512_000],
  [11, 600_000],
  [5_000, 600_000],
])('after %i failures in a row a copy waits %i ms', (failures, millis) => {
  expect(pauseMillis(failures)).toBe(millis)
})
