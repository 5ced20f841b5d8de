import { createServer } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { assertPortFree, freePort } from '../../scripts/embedded/port.ts'
import { StartError } from '../../scripts/embedded/start-error.ts'

test('a free port may be used', async () => {
  const port = await freePort()
  await expect(assertPortFree(port, '127.0.0.1')).resolves.toBeUndefined()
})

test('a taken port is named, and the next one proposed', async () => {
  const port = await freePort()
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  await expect(assertPortFree(port, '127.0.0.1')).rejects.toThrow(
    new StartError(
      `Port ${port} is taken by another program. Stop it, or choose another port: npm start -- --port ${port + 1}.`,
    ),
  )
})
