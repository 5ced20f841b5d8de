import { requestId } from 'hono/request-id'

/** Longest id that we take over from a proxy in front. */
const requestIdCharactersMax = 64

/** Takes over X-Request-Id from a proxy or makes one; it is the `instance` of a problem and stands in every log line. */
export const identifyRequest = requestId({ limitLength: requestIdCharactersMax })
