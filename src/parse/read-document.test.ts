import { expect, it } from 'vitest'
import { readForTest } from '../../test/files/parse/read-for-test.ts'
import { canRead } from './index.ts'

it.each([
  'application/pdf',
  'text/plain; charset=utf-8',
  'TEXT/HTML',
  'text/markdown',
  'text/csv',
  'text/tab-separated-values',
])('%s can be read', (type) => {
  expect(canRead(type)).toBe(true)
})

it.each(['application/zip', 'image/png', '', 'constructor'])('"%s" cannot be read', async (type) => {
  expect(canRead(type)).toBe(false)
  expect((await readForTest('x', type)).end).toMatchObject({ outcome: 'failed', code: 'unsupported_type' })
})
