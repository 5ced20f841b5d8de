/** The only way to learn the time. Milliseconds since 1970. */
export type Clock = { readonly nowMillis: () => number }

export function nowSeconds(clock: Clock): number {
  return Math.floor(clock.nowMillis() / 1000)
}
