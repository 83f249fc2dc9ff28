export { buildApi, openapiDocument } from './build-api.ts'
export type { ApiOptions } from './services.ts'
