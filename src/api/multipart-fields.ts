import type { FastifyRequest } from 'fastify'
import { SheafError } from '../core/index.ts'

/** Fields whose value is JSON when they come in a form. */
const JSON_FIELDS = new Set(['pipeline', 'documents', 'perDocPrompts'])
const LIMITS = { fields: 20, fieldSize: 512 * 1024, files: 0, parts: 20, headerPairs: 20 }

/** Turns the fields of a multipart form into the body that the same request has as JSON; other bodies stay as they are. */
export async function readFormAsBody(request: FastifyRequest): Promise<void> {
  if (!request.isMultipart()) return
  const body: Record<string, unknown> = {}
  try {
    for await (const part of request.parts({ limits: LIMITS })) {
      if (part.type === 'field') body[part.fieldname] = readField(part.fieldname, part.value, part.valueTruncated)
    }
  } catch (error) {
    if (error instanceof SheafError || (error as { statusCode?: number }).statusCode !== undefined) throw error
    throw new SheafError('bad_request', 'The multipart body is malformed or broke off.', { cause: error })
  }
  request.body = body
}

function readField(name: string, value: unknown, isCut: boolean): unknown {
  if (isCut) throw new SheafError('payload_too_large', `The field ${name.slice(0, 100)} is too long.`)
  if (typeof value !== 'string' || !JSON_FIELDS.has(name)) return value
  const isJson = /^\s*[[{]/.test(value)
  if (!isJson) return value
  try {
    return JSON.parse(value) as unknown
  } catch (error) {
    throw new SheafError('bad_request', `The field ${name} is not JSON.`, { cause: error })
  }
}
