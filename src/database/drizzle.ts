/**
 * The query builder, loaded as CommonJS: as a hundred ES modules it takes half a second of CPU at every start of every
 * process, as CommonJS less than a tenth of one (docs/benchmarks.md). Everything else imports it from here.
 */
import { createRequire } from 'node:module'
import type * as Core from 'drizzle-orm'
import type { SQL } from 'drizzle-orm'
import type * as Postgres from 'drizzle-orm/node-postgres'
import type { NodePgDatabase } from 'drizzle-orm/node-postgres'
import type * as Tables from 'drizzle-orm/pg-core'

const require = createRequire(import.meta.url)
const core = require('drizzle-orm') as typeof Core
const postgres = require('drizzle-orm/node-postgres') as typeof Postgres

export const { sql } = core
export const { drizzle } = postgres
export const tables = require('drizzle-orm/pg-core') as typeof Tables
export type { NodePgDatabase, SQL }
