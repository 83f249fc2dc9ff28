import { afterEach, describe, expect, it } from 'vitest'
import { armFailpoints, failpoint } from './failpoints.ts'

describe('failpoints', () => {
  afterEach(() => armFailpoints(undefined))

  it('do nothing unless armed', () => {
    expect(() => failpoint('after-claim')).not.toThrow()
  })

  it('act at the hit they name, and only then', () => {
    armFailpoints('after-claim:error@3')
    failpoint('after-claim')
    failpoint('after-claim')
    expect(() => failpoint('after-claim')).toThrow('failpoint after-claim')
    expect(() => failpoint('after-claim')).not.toThrow()
  })

  it('act for every subject they name', () => {
    armFailpoints('child-page:error=poison')
    failpoint('child-page', 'healthy.pdf')
    expect(() => failpoint('child-page', 'a/poison.pdf')).toThrow('failpoint child-page')
    expect(() => failpoint('child-page', 'a/poison.pdf')).toThrow('failpoint child-page')
  })

  it.each(['no-such-point:kill', 'after-claim:explode', 'after-claim'])('refuse %s', (specification) => {
    expect(() => armFailpoints(specification)).toThrow('SHEAF_FAILPOINT')
  })
})
