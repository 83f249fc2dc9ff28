/** The query builder hands timestamps over as PostgreSQL writes them; answers carry ISO 8601 in UTC. */
export function isoTime(value: unknown): string | null {
  return value === null || value === undefined ? null : new Date(value as string).toISOString()
}
