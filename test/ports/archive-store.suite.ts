import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { type ArchiveStore, StoreUnavailableError } from '../../core/ports/archive-store.ts'

const tags = { 'App-Name': 'ICE-Relayer', Sequence: '7' }
const sizes = [1, 1_000, 262_143, 262_144, 262_145, 700_001] as const

/** `down`: the same store, where nobody answers. `unknownId`: well-formed, of nothing. */
export function testArchiveStore(
  name: string,
  open: () => Promise<{ readonly store: ArchiveStore; readonly down: ArchiveStore; readonly unknownId: string }>,
): void {
  const opened = open()

  async function kept(store: ArchiveStore, id: string): Promise<void> {
    for (;;) {
      const keeping = await store.keeping(id)
      if (keeping.outcome === 'kept') return
      expect(keeping).toMatchObject({ outcome: 'pending' })
      await sleep(50)
    }
  }

  describe(`an archive on ${name}`, () => {
    test.each(sizes)('gives %i bytes back, under the id that was known before they were sent', async (size) => {
      const { store } = await opened
      const bytes = randomBytes(size)
      const sealed = await store.seal(bytes, tags)
      expect(await store.put(bytes, sealed)).toEqual({ outcome: 'taken' })
      await kept(store, sealed.id)
      const read = await store.read(sealed.id, size)
      expect(read.outcome === 'found' && bytes.equals(read.value)).toBe(true)
    })

    test('takes the same bytes again, and still keeps one copy of them', async () => {
      const { store } = await opened
      const bytes = randomBytes(300_000)
      const sealed = await store.seal(bytes, tags)
      for (let times = 0; times < 3; times++) expect(await store.put(bytes, sealed)).toEqual({ outcome: 'taken' })
      await kept(store, sealed.id)
      expect(await store.put(bytes, sealed)).toEqual({ outcome: 'taken' })
      const read = await store.read(sealed.id, bytes.length)
      expect(read.outcome === 'found' && bytes.equals(read.value)).toBe(true)
    })

    test('says that it does not keep what nobody sent', async () => {
      const { store, unknownId } = await opened
      expect(await store.keeping(unknownId)).toEqual({ outcome: 'absent' })
    })

    test('reads one byte more than asked for at most, however long the item is', async () => {
      const { store } = await opened
      const bytes = randomBytes(300_000)
      const sealed = await store.seal(bytes, tags)
      await store.put(bytes, sealed)
      await kept(store, sealed.id)
      const read = await store.read(sealed.id, 1_000)
      expect(read.outcome === 'found' && read.value.length).toBe(1_001)
    })

    test('throws when nobody answers, instead of saying that nothing is there', async () => {
      const { store, down } = await opened
      const bytes = randomBytes(10)
      const sealed = await store.seal(bytes, tags)
      await expect(down.put(bytes, sealed)).rejects.toThrow(StoreUnavailableError)
      await expect(down.keeping(sealed.id)).rejects.toThrow(StoreUnavailableError)
      await expect(down.read(sealed.id, 10)).rejects.toThrow(StoreUnavailableError)
    })
  })
}
