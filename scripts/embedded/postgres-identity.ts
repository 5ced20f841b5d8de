import { stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { StartError } from './start-error.ts'

/** Who Postgres runs as: undefined for ourselves. */
export type Identity = { readonly uid: number; readonly gid: number } | undefined

/** `nobody` on Linux. Elsewhere it may be nobody's number, and needs no account to run a process. */
const nobody = 65534

/** Postgres refuses to run as root, so root runs it as the unprivileged user nobody. */
export function postgresIdentity(): Identity {
  return process.getuid?.() === 0 ? { uid: nobody, gid: nobody } : undefined
}

/** The first directory on the way to `path` that `identity` may not enter, if there is one. */
export async function findBarrier({
  path,
  identity,
}: {
  readonly path: string
  readonly identity: Identity
}): Promise<string | undefined> {
  if (identity === undefined) return undefined
  let barrier: string | undefined
  for (let at = dirname(path); ; at = dirname(at)) {
    const { mode, uid, gid } = await stat(at)
    const needed = uid === identity.uid ? 0o100 : gid === identity.gid ? 0o010 : 0o001
    if ((mode & needed) === 0) barrier = at
    if (at === dirname(at)) return barrier
  }
}

export async function assertEnterable({
  path,
  identity,
}: {
  readonly path: string
  readonly identity: Identity
}): Promise<void> {
  const barrier = await findBarrier({ path, identity })
  if (barrier === undefined) return
  throw new StartError(
    `Postgres refuses to run as root and so runs as the user nobody, who may not enter ${barrier}, where its data directory lies. Start as an ordinary user, or choose a data directory outside ${barrier}.`,
  )
}
