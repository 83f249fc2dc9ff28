/**
 * Work that is asked for more often than it can be done: calls during a run lead to one more run after it. Each call
 * resolves when a run that began after it has ended.
 */
export function coalesced(work: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | null = null
  let isAskedAgain = false
  const run = async (): Promise<void> => {
    try {
      while (isAskedAgain) {
        isAskedAgain = false
        await work()
      }
    } finally {
      // in the same step as the last look, so that no call falls in between
      running = null
    }
  }
  return () => {
    isAskedAgain = true
    running ??= run()
    return running
  }
}
