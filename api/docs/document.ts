/** The part of an OpenAPI 3.1 document that the docs page reads. */
export type OpenApi = {
  readonly info: { readonly title: string; readonly version: string; readonly description?: string }
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly webhooks?: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> }
}
export type Operation = {
  readonly tags?: readonly string[]
  readonly summary?: string
  readonly description?: string
  readonly security?: readonly unknown[]
  readonly parameters?: readonly Parameter[]
  readonly requestBody?: { readonly content: Content }
  readonly responses: Readonly<Record<string, { readonly description: string; readonly content?: Content }>>
}
export type Parameter = {
  readonly name: string
  readonly in: string
  readonly required?: boolean
  readonly description?: string
  readonly schema: Schema
}
type Content = Readonly<
  Record<string, { readonly schema?: Schema; readonly examples?: Readonly<Record<string, unknown>> }>
>
export type Schema = {
  readonly $ref?: string
  readonly type?: string | readonly string[]
  readonly description?: string
  readonly example?: unknown
  readonly enum?: readonly unknown[]
  readonly const?: unknown
  readonly default?: unknown
  readonly required?: readonly string[]
  readonly properties?: Readonly<Record<string, Schema>>
  readonly items?: Schema
  readonly anyOf?: readonly Schema[]
  readonly oneOf?: readonly Schema[]
  readonly allOf?: readonly Schema[]
}

/** Deeper than any of our schemas; a circle would end here. */
const depthMax = 12

export function resolve(schema: Schema, document: OpenApi): Schema {
  if (schema.$ref === undefined) return schema
  return document.components.schemas[schema.$ref.split('/').at(-1) ?? ''] ?? {}
}

/** A value of the schema, put together from the examples of its parts. */
export function exampleOf(schema: Schema, document: OpenApi, depth = 0): unknown {
  const own = { ...resolve(schema, document), ...(schema.example === undefined ? {} : { example: schema.example }) }
  if (own.example !== undefined || depth > depthMax) return own.example
  if (own.const !== undefined) return own.const
  if (own.enum !== undefined) return own.enum[0]
  const variants = own.oneOf ?? own.anyOf
  if (variants?.[0] !== undefined) return exampleOf(variants[0], document, depth + 1)
  if (own.allOf !== undefined) {
    return Object.assign({}, ...own.allOf.map((part) => exampleOf(part, document, depth + 1)))
  }
  if (own.properties !== undefined) {
    return Object.fromEntries(
      Object.entries(own.properties).map(([name, part]) => [name, exampleOf(part, document, depth + 1)]),
    )
  }
  if (own.items !== undefined) return [exampleOf(own.items, document, depth + 1)]
  if (own.type === 'integer') return 1
  if (own.type === 'boolean') return false
  return own.type === 'string' ? 'text' : null
}

/** The type in a word or two, for a table. */
export function typeOf(schema: Schema, document: OpenApi): string {
  if (schema.$ref !== undefined) return schema.$ref.split('/').at(-1) ?? ''
  if (schema.enum !== undefined) return schema.enum.join(' | ')
  const variants = schema.oneOf ?? schema.anyOf
  if (variants !== undefined) return variants.map((part) => typeOf(part, document)).join(' | ')
  if (schema.allOf !== undefined)
    return schema.allOf
      .map((part) => typeOf(part, document))
      .filter(Boolean)
      .join(' & ')
  if (schema.items !== undefined) return `${typeOf(schema.items, document)}[]`
  const types: readonly string[] = Array.isArray(schema.type) ? schema.type : [schema.type as string]
  return types.filter(Boolean).join(' | ')
}
