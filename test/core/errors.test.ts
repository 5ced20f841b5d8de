import { describe, expect, test } from 'vitest'
import { type ErrorCode, errors, RelayError, refusal } from '../../core/errors.ts'

const codes = Object.keys(errors) as ErrorCode[]

describe.each(codes)('%s', (code) => {
  const entry: { status: number; title: string; next: string; retryable?: true } = errors[code]

  test('is named in snake_case and has a status of 4xx or 5xx', () => {
    expect(code).toMatch(/^[a-z]+(_[a-z0-9]+)*$/)
    expect(entry.status).toBeGreaterThanOrEqual(400)
    expect(entry.status).toBeLessThan(600)
  })

  test('says what happened and, in a whole sentence, what to do next', () => {
    expect(entry.title).not.toBe('')
    expect(entry.title).not.toMatch(/\.$/)
    expect(entry.next).toMatch(/^[A-Z].*\.$/)
  })

  test('promises a retry whenever the fault is ours', () => {
    if (entry.status >= 500) expect(entry.retryable).toBe(true)
  })

  test('becomes an exception with the same facts', () => {
    const cause = new Error('below')
    const error = new RelayError(code, 'what was wrong', { fields: { amount: '1' }, cause })
    expect(error).toMatchObject({
      code,
      status: entry.status,
      message: 'what was wrong',
      fields: { amount: '1' },
      cause,
    })
    expect(error.isRetryable).toBe(entry.retryable === true)
  })
})

test('titles are told apart', () => {
  expect(new Set(codes.map((code) => errors[code].title)).size).toBe(codes.length)
})

test('a refusal has no fields unless it is given some', () => {
  expect(refusal('order_paid', 'it is')).toEqual({
    outcome: 'refused',
    code: 'order_paid',
    detail: 'it is',
    fields: {},
  })
})
