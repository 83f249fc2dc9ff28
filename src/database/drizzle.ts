/**
 * The query builder, loaded as CommonJS: as a hundred ES modules it takes half a second of CPU at every start of every
 * process, as CommonJS less than a tenth of one (docs/benchmarks.md). Everything else imports it from here.
 */
import { createRequire } from 'node:module'
import type { SQL } from 'drizzle-orm'
import type { NodePgDatabase } from 'drizzle-orm/node-postgres'

const require = createRequire(import.meta.url)
const core = require('drizzle-orm') as typeof import('drizzle-orm')
const postgres = require('drizzle-orm/node-postgres') as typeof import('drizzle-orm/node-postgres')

export const { sql } = core
export const { drizzle } = postgres
export const tables = require('drizzle-orm/pg-core') as typeof import('drizzle-orm/pg-core')
export type { NodePgDatabase, SQL }
