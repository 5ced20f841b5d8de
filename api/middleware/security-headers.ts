import { secureHeaders } from 'hono/secure-headers'

/** The docs need one style sheet of our own; nothing here runs scripts, loads from elsewhere or may be framed. */
export const hardenAnswer = secureHeaders({
  contentSecurityPolicy: {
    defaultSrc: ["'none'"],
    styleSrc: ["'self'"],
    imgSrc: ["'self'"],
    baseUri: ["'none'"],
    formAction: ["'none'"],
    frameAncestors: ["'none'"],
  },
  xFrameOptions: 'DENY',
  referrerPolicy: 'no-referrer',
  crossOriginResourcePolicy: 'same-origin',
})
