import { type ErrorCode, SheafError, toSheafError } from '../../core/index.ts'

const OF_ONE_MEMBER: readonly ErrorCode[] = ['bad_zip', 'truncated', 'unsupported_type', 'password_wrong']

/**
 * Reads what went wrong while unpacking as one of our errors: broken compressed data is `bad_zip`, data that ends too
 * early `truncated`; limits and full disks are what they are.
 */
export function unpackError(error: unknown): SheafError {
  if (error instanceof SheafError) return error
  const { code, message } = error as NodeJS.ErrnoException
  if (code === 'Z_BUF_ERROR' || /unexpected end|premature close|End of central directory/i.test(message ?? '')) {
    return new SheafError('truncated', message, { cause: error })
  }
  if (
    code?.startsWith('Z_') ||
    /tar|header|zip|central directory|extra field|comment length|unexpected EOF/i.test(message ?? '')
  ) {
    return new SheafError('bad_zip', message, { cause: error })
  }
  const system = (error as NodeJS.ErrnoException).syscall !== undefined
  const known = toSheafError(error)
  return system && known.code === 'internal' ? new SheafError('write_failed', `${code}`, { cause: error }) : known
}

/** True when only this member is lost and the others can still be read. */
export function isOfOneMember(error: SheafError): boolean {
  return OF_ONE_MEMBER.includes(error.code)
}
