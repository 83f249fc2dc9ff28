import { totalmem } from 'node:os'
import { SOCKET_PORT } from './socket-directory.ts'

/** 128 MB, less where the machine or the container has under 4 GB. */
export function sharedBuffersMegabytes(memoryBytes: number): number {
  return Math.min(128, Math.max(16, 2 ** Math.floor(Math.log2(memoryBytes / 2 ** 20 / 32))))
}

function memoryBytes(): number {
  const limit = process.constrainedMemory()
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem()
}

/** unix_socket_directories is a list: a name with a comma must stand in quotes, doubled inside. */
const quoteListItem = (value: string): string => `"${value.replaceAll('"', '""')}"`

/**
 * Settings of the embedded server as words for the command line, where they beat both configuration files. Those that
 * guard durability and privacy are named even if they are the defaults.
 */
export function serverArguments(socketDirectory: string): string[] {
  const settings: Record<string, string> = {
    listen_addresses: '',
    port: String(SOCKET_PORT),
    unix_socket_directories: quoteListItem(socketDirectory),
    unix_socket_permissions: '0700',
    password_encryption: 'scram-sha-256',
    max_connections: '60',
    shared_buffers: `${sharedBuffersMegabytes(memoryBytes())}MB`,
    fsync: 'on',
    full_page_writes: 'on',
    synchronous_commit: 'on',
    // plain fsync leaves bytes in the drive's cache on macOS
    wal_sync_method: process.platform === 'darwin' ? 'fsync_writethrough' : 'fdatasync',
    wal_compression: 'on',
    max_wal_senders: '0',
    max_logical_replication_workers: '0',
    max_wal_size: '1GB',
    checkpoint_timeout: '15min',
    autovacuum: 'on',
    autovacuum_naptime: '5s',
    autovacuum_vacuum_scale_factor: '0.05',
    autovacuum_analyze_scale_factor: '0.05',
    jit: 'off',
    // a client that was killed gives its locks back although its statement still runs
    client_connection_check_interval: '500ms',
    logging_collector: 'off',
    log_destination: 'stderr',
    log_checkpoints: 'off',
    log_timezone: 'UTC',
    timezone: 'UTC',
    // rows and statements can hold text of documents, which does not belong into a log
    log_error_verbosity: 'terse',
    log_min_error_statement: 'panic',
  }
  return Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
}
