export { startEmbeddedServer, type EmbeddedOptions } from './start.ts'
export type { EmbeddedServer } from './embedded-server.ts'
export { readServerFile, updateServerFile, type ServerFile } from './server-file.ts'
export { EmbeddedStartError } from './start-error.ts'
