import { expect, test } from 'vitest'
import { SheafError } from '../core/index.ts'
import { EmbeddedStartError } from '../database/index.ts'
import { ApiFailure, toFailure } from './failure.ts'

test.each([
  [400, 'bad_request', 2],
  [402, 'plan_limit', 5],
  [403, 'forbidden', 4],
  [404, 'not_found', 3],
  [409, 'batch_closed', 1],
  [410, 'batch_expired', 3],
  [413, 'too_large', 5],
  [422, 'idempotency_mismatch', 2],
  [429, 'too_many_requests', 5],
  [500, 'internal', 6],
  [503, 'unavailable', 6],
  [507, 'no_space', 7],
])('status %i (%s) ends with exit code %i', (status, code, exitCode) => {
  expect(new ApiFailure({ status, code, detail: 'Why.', hint: 'What to do.' })).toMatchObject({
    exitCode,
    message: 'Why.',
    action: 'What to do.',
  })
})

test('a refused key is answered in the words of the command line', () => {
  expect(
    new ApiFailure({ status: 401, detail: 'The request carries no valid key.', hint: 'Send a header.' }),
  ).toMatchObject({ exitCode: 4, action: 'Give a valid key with --key.' })
})

test('a server error names its request', () => {
  expect(new ApiFailure({ status: 500, detail: 'Something failed.', requestId: 'r1' }).message).toBe(
    'Something failed. (request r1)',
  )
})

test('an answer without problem details still makes a sentence', () => {
  expect(new ApiFailure({ status: 502 })).toMatchObject({
    exitCode: 6,
    message: 'The server answered with status 502.',
    action: null,
  })
})

test.each([
  [new EmbeddedStartError(75, 'Another Sheaf runs on /d.', 'Use that one.'), 75, 'Use that one.'],
  [new SheafError('no_space'), 7, 'Free some space; work resumes by itself.'],
  [Object.assign(new Error('x'), { code: 'ENOSPC', path: '/d' }), 7, 'Free some space and run the command again.'],
  [Object.assign(new Error('x'), { code: 'ENOENT', path: '/d' }), 3, 'Check the path.'],
  [Object.assign(new Error('x'), { code: 'EACCES', path: '/d' }), 4, 'Change its rights, or choose another place.'],
  [
    Object.assign(new Error('x'), { code: 'EADDRINUSE', port: 80 }),
    6,
    'Choose another one with --port; 0 takes a free one.',
  ],
])('%s ends with exit code %i', (error, exitCode, action) => {
  expect(toFailure(error)).toMatchObject({ exitCode, action })
})

test('what nobody foresaw is one line', () => {
  const failure = toFailure(new TypeError('broken\n    at stack'))
  expect(failure).toMatchObject({ exitCode: 1, message: 'broken' })
})
