import type { FastifyBaseLogger, FastifyInstance, RawServerDefault } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Logger } from '../core/index.ts'
import type { Database } from '../database/index.ts'
import type { Plan } from '../intake/index.ts'
import type { BlobStore } from '../storage/index.ts'
import type { EventHub } from './events/event-hub.ts'
import type { Keyring } from './keyring.ts'
import type { StorageRoom } from './storage-room.ts'
import type { UploadGate } from './upload/upload-gate.ts'

export interface ApiOptions {
  database: Database
  store: BlobStore
  plan: Plan
  log: Logger
  version: string
  /** Free bytes below which uploads are refused and /readyz says `storage`; 512 MB or 5 % by default. */
  freeSpaceFloor?: number
  /** Addresses of proxies whose X-Forwarded-For is believed. */
  trustedProxies?: string[]
  /** Requests that one key (or address without a key) may make in a minute. */
  requestsPerMinute?: number
}

/** What routes work with. */
export interface Services extends ApiOptions {
  hub: EventHub
  keyring: Keyring
  room: StorageRoom
  gate: UploadGate
}

export type Api = FastifyInstance<RawServerDefault, IncomingMessage, ServerResponse, FastifyBaseLogger, ZodTypeProvider>
