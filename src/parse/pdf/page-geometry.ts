/** Turns PDF user space (origin bottom left, page not yet turned) into the upright page (origin top left). */

import type { Box } from '../../core/index.ts'
import type { Pdfium } from './pdfium.ts'

/** Left, bottom, right and top are the edges of the crop box. */
export interface PageGeometry extends Rectangle {
  /** Of the upright page, in points. */
  width: number
  height: number
  /** Degrees clockwise: 0, 90, 180 or 270. */
  rotation: number
}

export function round2(value: number): number {
  return Math.round(value * 100) / 100
}

/** Reads size, rotation and crop box of an open page. */
export function readPageGeometry({ calls, memory }: Pdfium, page: number, scratch: number): PageGeometry {
  const width = calls.FPDF_GetPageWidthF(page)
  const height = calls.FPDF_GetPageHeightF(page)
  const rotation = (((calls.FPDFPage_GetRotation(page) % 4) + 4) % 4) * 90
  const isTurned = rotation % 180 !== 0
  let [left, top, right, bottom] = [0, isTurned ? width : height, isTurned ? height : width, 0]
  if (calls.FPDF_GetPageBoundingBox(page, scratch) !== 0) {
    const at = scratch >> 2
    const box = memory.HEAPF32
    left = box[at]!
    top = box[at + 1]!
    right = box[at + 2]!
    bottom = box[at + 3]!
  }
  return { width: round2(width), height: round2(height), rotation, left, bottom, right, top }
}

/** Edges in user space. */
export interface Rectangle {
  left: number
  bottom: number
  right: number
  top: number
}

/** A user space rectangle as a box on the upright page. */
export function uprightBox(page: PageGeometry, { left, bottom, right, top }: Rectangle): Box {
  switch (page.rotation) {
    case 90:
      return [
        round2(bottom - page.bottom),
        round2(left - page.left),
        round2(top - page.bottom),
        round2(right - page.left),
      ]
    case 180:
      return [
        round2(page.right - right),
        round2(bottom - page.bottom),
        round2(page.right - left),
        round2(top - page.bottom),
      ]
    case 270:
      return [round2(page.top - top), round2(page.right - right), round2(page.top - bottom), round2(page.right - left)]
    default:
      return [round2(left - page.left), round2(page.top - top), round2(right - page.left), round2(page.top - bottom)]
  }
}
