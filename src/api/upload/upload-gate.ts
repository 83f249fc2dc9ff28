import { SheafError } from '../../core/index.ts'

/** Uploads of one workspace that are received at the same time; the others wait. */
export const UPLOADS_AT_ONCE = 6
const WAITING_AT_MOST = 100
const LONGEST_WAIT_MS = 20_000

export interface UploadGate {
  /** Runs the upload when its turn has come; throws too_many_requests when too many wait, or it took too long. */
  pass<T>(workspaceId: string, upload: () => Promise<T>): Promise<T>
}

interface Lane {
  running: number
  waiting: (() => void)[]
}

/** Keeps one client with hundreds of parallel uploads from taking all connections to the database. */
export function createUploadGate(): UploadGate {
  const lanes = new Map<string, Lane>()
  return {
    pass: async (workspaceId, upload) => {
      const lane = lanes.get(workspaceId) ?? { running: 0, waiting: [] }
      lanes.set(workspaceId, lane)
      if (lane.running < UPLOADS_AT_ONCE) lane.running += 1
      else await waitInLane(lane)
      try {
        return await upload()
      } finally {
        // whoever waits takes over the place
        const next = lane.waiting.shift()
        if (next) next()
        else if (--lane.running === 0) lanes.delete(workspaceId)
      }
    },
  }
}

function waitInLane(lane: Lane): Promise<void> {
  const refusal = () => new SheafError('too_many_requests', `${UPLOADS_AT_ONCE} uploads are received at once.`)
  if (lane.waiting.length >= WAITING_AT_MOST) throw refusal()
  return new Promise((resolve, reject) => {
    const enter = (): void => {
      clearTimeout(timer)
      resolve()
    }
    const timer = setTimeout(() => {
      lane.waiting.splice(lane.waiting.indexOf(enter), 1)
      reject(refusal())
    }, LONGEST_WAIT_MS)
    lane.waiting.push(enter)
  })
}
