import { uploadRequestBody } from './schemas/upload.ts'

interface Schema {
  $ref?: string
  anyOf?: Schema[]
  type?: string
  properties?: object
}
interface Operation {
  requestBody?: { required?: boolean; content?: Record<string, { schema?: Schema }> }
  responses?: Record<string, { description?: string }>
}
interface Description {
  paths?: Record<string, Record<string, Operation>>
  components?: { schemas?: Record<string, Schema> }
}

const DONE: Record<string, string> = { 200: 'Done.', 201: 'Created.', 202: 'Taken on; it happens soon.' }

/**
 * Puts right what the generators cannot know: the body of an upload, bodies that may be left out, descriptions of
 * answers, and schemas that nothing refers to.
 */
export function tidyDescription<T extends object>(description: T): T {
  const { paths = {}, components } = description as Description
  const schemas = components?.schemas ?? {}
  for (const operation of Object.values(paths).flatMap((methods) => Object.values(methods))) {
    tidyBody(operation, schemas)
    for (const [status, response] of Object.entries(operation.responses ?? {})) {
      if (response.description === 'Default Response') response.description = DONE[status] ?? 'Done.'
    }
  }
  const upload = paths['/api/upload']?.['post']
  if (upload) upload.requestBody = uploadRequestBody as NonNullable<Operation['requestBody']>
  return { ...description, components: { ...components, schemas: pickUsed(paths, schemas) } }
}

/** A body that may be null may be left out; one that then has no field is none. */
function tidyBody(operation: Operation, schemas: Record<string, Schema>): void {
  const given = operation.requestBody?.content?.['application/json']?.schema
  const schema = given?.$ref === undefined ? given : schemas[nameOf(given.$ref)]
  if (!operation.requestBody || !schema?.anyOf?.some(({ type }) => type === 'null')) return
  operation.requestBody.required = false
  const isEmpty = schema.anyOf.every(
    ({ properties, type }) => type === 'null' || Object.keys(properties ?? {}).length === 0,
  )
  if (isEmpty) delete operation.requestBody
}

function nameOf(reference: string): string {
  return reference.slice(reference.lastIndexOf('/') + 1)
}

function pickUsed(paths: object, schemas: Record<string, Schema>): Record<string, Schema> {
  const used = new Set<string>()
  const visit = (part: unknown): void => {
    for (const [, name] of JSON.stringify(part).matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g)) {
      if (used.has(name!) || !schemas[name!]) continue
      used.add(name!)
      visit(schemas[name!])
    }
  }
  visit(paths)
  return Object.fromEntries(Object.entries(schemas).filter(([name]) => used.has(name)))
}
