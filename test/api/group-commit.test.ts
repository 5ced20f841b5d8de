import { describe, expect, test } from 'vitest'
import { groupCommit } from '../../api/group-commit.ts'
import { outageOf } from '../../api/outage.ts'

/** Commits that end when the test says so. */
function slow() {
  const groups: { items: readonly number[]; finish: () => void; fail: (error: Error) => void }[] = []
  const commit = (items: readonly number[]) =>
    new Promise<readonly string[]>((resolve, reject) =>
      groups.push({ items, finish: () => resolve(items.map(String)), fail: reject }),
    )
  return { groups, commit }
}
const turn = () => new Promise((resolve) => setImmediate(resolve))
const never = () => false

describe('group commit', () => {
  test('sends the first at once and gathers the rest while two are on their way', async () => {
    const { groups, commit } = slow()
    const commits = groupCommit({ items: 'items', commit, isOutage: never })
    const answers = [1, 2, 3, 4, 5].map((item) => commits.submit([item]))
    expect(groups.map(({ items }) => items)).toEqual([[1], [2]])
    groups[0]?.finish()
    await turn()
    expect(groups[2]?.items).toEqual([3, 4, 5])
    groups[1]?.finish()
    groups[2]?.finish()
    expect(await answers[4]).toEqual([{ status: 'fulfilled', value: '5' }])
  })

  test('never commits more than its limit at once', async () => {
    const { groups, commit } = slow()
    const commits = groupCommit({ items: 'items', commit, isOutage: never, limits: { commitMax: 2 } })
    void commits.submit([1, 2, 3, 4, 5])
    expect(groups.map(({ items }) => items.length)).toEqual([2, 2])
  })

  test('refuses one more than the queue holds, before anything of it is committed', async () => {
    const { groups, commit } = slow()
    const commits = groupCommit({ items: 'items', commit, isOutage: never, limits: { queueMax: 3, commitMax: 1 } })
    void commits.submit([1, 2, 3])
    void commits.submit([4, 5])
    expect(commits.waitingCount()).toBe(3)
    await expect(commits.submit([6])).rejects.toMatchObject({ code: 'overloaded', status: 503 })
    expect(groups.flatMap(({ items }) => items)).toEqual([1, 2])
  })

  test('refuses an owner one more than half of the queue, and takes those of others', async () => {
    const { groups, commit } = slow()
    const ownerOf = (item: number) => (item < 100 ? 'app-a' : 'app-b')
    const limits = { queueMax: 4, commitMax: 1 }
    const commits = groupCommit({ items: 'items', commit, isOutage: never, ownerOf, limits })
    void commits.submit([1, 2])
    void commits.submit([3, 4])
    await expect(commits.submit([5])).rejects.toMatchObject({ code: 'overloaded', status: 503 })
    void commits.submit([100])
    expect(commits.waitingCount()).toBe(3)
    // What has left the queue gives its place back.
    groups[0]?.finish()
    await turn()
    void commits.submit([6])
    expect(commits.waitingCount()).toBe(3)
  })

  test('isolates the one item that breaks a group', async () => {
    const commit = async (items: readonly number[]) => {
      if (items.includes(3)) throw new Error('poisoned')
      return items.map(String)
    }
    const results = await groupCommit({ items: 'items', commit, isOutage: never }).submit([1, 2, 3, 4, 5])
    expect(results.map(({ status }) => status)).toEqual([
      'fulfilled',
      'fulfilled',
      'rejected',
      'fulfilled',
      'fulfilled',
    ])
  })

  test.each(['53200', '53300', '57P03'])('does not try the parts of a group when Postgres answers %s', async (code) => {
    let calls = 0
    const commit = async () => {
      calls++
      throw Object.assign(new Error('no more'), { code })
    }
    const isOutage = (error: unknown) => outageOf(error) !== undefined
    const results = await groupCommit({ items: 'items', commit, isOutage }).submit([1, 2, 3])
    expect([calls, results.every(({ status }) => status === 'rejected')]).toEqual([1, true])
  })

  test('does not try the parts of a group when the store is away', async () => {
    let calls = 0
    const commit = async () => {
      calls++
      throw new Error('away')
    }
    const results = await groupCommit({ items: 'items', commit, isOutage: () => true }).submit([1, 2, 3])
    expect([calls, results.every(({ status }) => status === 'rejected')]).toEqual([1, true])
  })
})
