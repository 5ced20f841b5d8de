import type { MiddlewareHandler } from 'hono'
import { RelayError } from '../../core/errors.ts'
import type { App } from '../../core/ports/apps.ts'
import type { ApiEnv } from '../environment.ts'

/** @throws RelayError `forbidden` before anything is looked up, so that the answer tells nothing about ids. */
export function requireRole(role: App['role']): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    const app = c.get('app')
    if (app.role !== role) {
      throw new RelayError('forbidden', `This needs an app with the role ${role}; this one has ${app.role}.`, {
        fields: { role, has: app.role },
      })
    }
    await next()
  }
}
