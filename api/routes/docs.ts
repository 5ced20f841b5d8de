import { readFileSync } from 'node:fs'
import type { OpenAPIHono } from '@hono/zod-openapi'
import type { Handler } from 'hono'
import { type ErrorCode, errors, RelayError } from '../../core/errors.ts'
import type { OpenApi } from '../docs/document.ts'
import { introduction } from '../docs/introduction.ts'
import { docsPage, markdownPage } from '../docs/page.ts'
import { styleSheet } from '../docs/style.ts'
import type { ApiEnv } from '../environment.ts'
import { problemSchema } from '../schemas/problem.ts'
import { webhookEvents } from '../schemas/webhook-event.ts'
import { submitComponents } from './intents.ts'

const errorPages = new URL('../../docs/errors/', import.meta.url)

/** The OpenAPI document and what is made from it. Both are put together once, when they are first asked for. */
export function documentation(app: OpenAPIHono<ApiEnv>): {
  readonly openapi: Handler<ApiEnv>
  readonly docs: Handler<ApiEnv>
} {
  for (const [name, schema] of Object.entries({ ...submitComponents, Problem: problemSchema })) {
    app.openAPIRegistry.register(name, schema)
  }
  app.openAPIRegistry.registerComponent('securitySchemes', 'app', {
    type: 'http',
    scheme: 'basic',
    description: 'AppID as user, AppSecret as password',
  })
  for (const [path, event] of Object.entries(webhookEvents)) app.openAPIRegistry.registerWebhook({ path, ...event })
  let document: OpenApi | undefined
  const load = (): OpenApi => {
    document ??= app.getOpenAPI31Document({
      openapi: '3.1.0',
      info: { title: 'ICE settlement API', version: '1', description: introduction, license: { name: 'Apache-2.0' } },
      security: [{ app: [] }],
      tags: ['Orders', 'Intents', 'Accounts', 'Batches', 'Holds', 'Payees', 'Webhooks', 'Operations'].map((name) => ({
        name,
      })),
    }) as unknown as OpenApi
    return document
  }
  return { openapi: (c) => c.json(load()), docs: (c) => c.html(docsPage(load())) }
}

export const showStyle: Handler<ApiEnv> = (c) => c.body(styleSheet, 200, { 'Content-Type': 'text/css; charset=utf-8' })

export const showErrorIndex: Handler<ApiEnv> = (c) => c.html(markdownPage('Errors', readPage('README')))

/** The `type` of every problem leads here. */
export const showErrorPage: Handler<ApiEnv> = (c) => {
  const code = c.req.param('code') ?? ''
  if (!Object.hasOwn(errors, code)) throw new RelayError('not_found', 'No error has this code.')
  return c.html(markdownPage(errors[code as ErrorCode].title, readPage(code)))
}

/** The pages link to one another as files; here they are paths. */
function readPage(name: string): string {
  const markdown = readFileSync(new URL(`${name}.md`, errorPages), 'utf8')
  return markdown.replaceAll('](README.md)', '](/errors)').replace(/\]\(([a-z_]+)\.md\)/g, '](/errors/$1)')
}
