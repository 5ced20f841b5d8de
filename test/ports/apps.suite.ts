import { randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import type { Apps } from '../../core/ports/apps.ts'

export function testApps(name: string, apps: Apps): void {
  describe(`apps in ${name}`, () => {
    test('keeps an app as it was put', async () => {
      const app = { id: 'shop', name: 'A shop', role: 'app', secretSha256: new Uint8Array(randomBytes(32)) } as const
      await apps.put(app)
      expect(await apps.find('shop')).toEqual(app)
    })

    test('replaces name, role and secret of the same id', async () => {
      await apps.put({ id: 'desk', name: 'Desk', role: 'app', secretSha256: new Uint8Array(32) })
      const renamed = {
        id: 'desk',
        name: 'Front desk',
        role: 'operator',
        secretSha256: new Uint8Array(32).fill(1),
      } as const
      await apps.put(renamed)
      expect(await apps.find('desk')).toEqual(renamed)
    })

    test('finds nothing under an id that nobody has, or that differs in case', async () => {
      await apps.put({ id: 'case', name: 'Case', role: 'app', secretSha256: new Uint8Array(32) })
      expect(await apps.find('Case')).toBeUndefined()
      expect(await apps.find("'; drop table app; --")).toBeUndefined()
    })
  })
}
