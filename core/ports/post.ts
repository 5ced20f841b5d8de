/** Why no answer came. Told to the app that owns the endpoint, so it names no address and quotes nothing. */
export type PostFault =
  | 'address_refused'
  | 'name_not_found'
  | 'connection_refused'
  | 'connection_timeout'
  | 'connection_lost'
  | 'tls_failed'
  | 'answer_timeout'
  | 'answer_malformed'
  | 'unreachable'

export type Posted =
  | { readonly outcome: 'answered'; readonly status: number; readonly retryAfter: string | undefined }
  | { readonly outcome: 'unanswered'; readonly fault: PostFault }

/** Posts to addresses that strangers chose. Never throws for what the other side does, follows no redirect. */
export type Post = {
  readonly send: (request: {
    readonly url: string
    readonly headers: Readonly<Record<string, string>>
    readonly body: string
  }) => Promise<Posted>
  /** Cuts what is under way. */
  readonly close: () => Promise<void>
}
