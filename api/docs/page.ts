import { html, raw } from 'hono/html'
import { marked } from 'marked'
import { type ErrorCode, errors } from '../../core/errors.ts'
import { exampleOf, type OpenApi, type Operation, resolve, type Schema, typeOf } from './document.ts'

type Html = ReturnType<typeof html>
type Named = { readonly method: string; readonly path: string; readonly operation: Operation }

/** The OpenAPI document as one page to read from top to bottom: first what holds everywhere, then each route. */
export function docsPage(document: OpenApi): Html {
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]): Named => ({ method, path, operation })),
  )
  const tags = [...new Set(operations.map(({ operation }) => operation.tags?.[0] ?? 'Other'))]
  const events = Object.entries(document.webhooks ?? {}).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]): Named => ({ method, path, operation })),
  )
  const of = (tag: string) => operations.filter(({ operation }) => (operation.tags?.[0] ?? 'Other') === tag)
  return shell(
    document.info.title,
    html`<div class="page">
      <nav aria-label="Contents">
        <ul><li><a href="#top">Start here</a></li><li><a href="#events">What webhooks say</a></li><li><a href="#errors">Errors</a></li></ul>
        ${tags.map((tag) => html`<strong>${tag}</strong><ul>${of(tag).map((each) => html`<li><a href="#${anchor(each)}">${each.operation.summary}</a></li>`)}</ul>`)}
      </nav>
      <main id="top">
        <h1>${document.info.title}</h1>
        <p class="soft">Version ${document.info.version} · <a href="/openapi.json">openapi.json</a></p>
        ${prose(document.info.description ?? '')}
        ${tags.map((tag) => html`<h2 id="${tag.toLowerCase()}">${tag}</h2>${of(tag).map((each) => operationSection(each, document))}`)}
        <h2 id="events">What webhooks say</h2>
        ${events.map((each) => operationSection(each, document))}
        <h2 id="errors">Errors</h2>
        <p>Every refusal is <code>application/problem+json</code> (RFC 9457). Branch on <code>code</code>: it never changes.</p>
        <table><thead><tr><th>Code</th><th>Status</th><th>Meaning</th></tr></thead><tbody>
          ${(Object.keys(errors) as ErrorCode[]).map((code) => html`<tr><td><a href="/errors/${code}"><code>${code}</code></a></td><td>${errors[code].status}</td><td>${errors[code].title}</td></tr>`)}
        </tbody></table>
      </main>
    </div>`,
  )
}

/** One page of docs/errors. `markdown` is our own file, so its HTML is trusted. */
export function markdownPage(title: string, markdown: string): Html {
  return shell(
    title,
    html`<div class="page alone"><main><p class="soft"><a href="/docs">API</a> · <a href="/docs#errors">Errors</a></p>${prose(markdown)}</main></div>`,
  )
}

function operationSection({ method, path, operation }: Named, document: OpenApi): Html {
  const body = operation.requestBody?.content['application/json']?.schema
  const responses = Object.entries(operation.responses)
  const codes = responses.flatMap(([, { content }]) =>
    Object.keys(content?.['application/problem+json']?.examples ?? {}),
  )
  return html`<section>
    <h3 id="${anchor({ method, path })}">${operation.summary}</h3>
    <p><span class="method">${method.toUpperCase()}</span><code>${path}</code>${operation.security?.length === 0 ? html` <span class="soft">open to all</span>` : ''}</p>
    ${prose(operation.description ?? '')}
    ${operation.parameters === undefined ? '' : html`<h4>Parameters</h4>${parameterTable(operation, document)}`}
    ${body === undefined ? '' : html`<h4>Request</h4>${schemaPart(body, document)}`}
    ${responses
      .filter(([, { content }]) => content?.['application/json'] !== undefined)
      .map(
        ([status, { description, content }]) =>
          html`<h4>${status} ${description}</h4>${schemaPart(content?.['application/json']?.schema ?? {}, document)}`,
      )}
    ${codes.length === 0 ? '' : html`<h4>Refusals</h4><p>${codes.map((code) => html`<a href="/errors/${code}"><code>${code}</code></a> `)}</p>`}
  </section>`
}

function parameterTable({ parameters = [] }: Operation, document: OpenApi): Html {
  return html`<table><tbody>${parameters.map(
    ({ name, in: place, required, description, schema }) =>
      html`<tr><td><code>${name}</code><br /><span class="soft">${place}${required === true ? ', required' : ''}</span></td><td>${typeOf(schema, document)}</td><td>${description ?? resolve(schema, document).description ?? ''}</td></tr>`,
  )}</tbody></table>`
}

/** Fields in a table, then an example; a choice between shapes shows each. */
function schemaPart(schema: Schema, document: OpenApi): Html {
  const own = resolve(schema, document)
  const variants = own.anyOf ?? own.oneOf
  if (variants !== undefined) {
    return html`${variants.map((variant, index) => html`${index === 0 ? '' : html`<p class="soft">or</p>`}${schemaPart(variant, document)}`)}`
  }
  const parts = own.allOf === undefined ? [own] : own.allOf.map((part) => resolve(part, document))
  const fields = parts.flatMap((part) => Object.entries(part.properties ?? {}))
  const required = new Set(parts.flatMap((part) => part.required ?? []))
  return html`${own.description === undefined ? '' : html`<p>${own.description}</p>`}
    ${fields.length === 0 ? '' : html`<table><tbody>${fields.map(([name, field]) => html`<tr><td><code>${name}</code>${required.has(name) ? '' : html`<br /><span class="soft">optional</span>`}</td><td>${typeOf(field, document)}</td><td>${field.description ?? resolve(field, document).description ?? ''}</td></tr>`)}</tbody></table>`}
    <pre tabindex="0"><code>${JSON.stringify(exampleOf(schema, document), null, 2)}</code></pre>`
}

function anchor({ method, path }: Pick<Named, 'method' | 'path'>): string {
  return `${method}-${path.replace(/[^a-z0-9]+/gi, '-').replace(/^-|-$/g, '')}`
}

function prose(markdown: string): ReturnType<typeof raw> {
  return raw(marked.parse(markdown, { async: false }))
}

function shell(title: string, body: Html): Html {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${title}</title>
        <link rel="stylesheet" href="/docs/style.css" />
      </head>
      <body>${body}</body>
    </html>`
}
