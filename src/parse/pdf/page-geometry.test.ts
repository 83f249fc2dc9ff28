import fc from 'fast-check'
import { expect, it } from 'vitest'
import { type PageGeometry, uprightBox } from './page-geometry.ts'

function turned(rotation: number): PageGeometry {
  const isTurned = rotation % 180 !== 0
  return {
    width: isTurned ? 700 : 400,
    height: isTurned ? 400 : 700,
    rotation,
    left: 10,
    bottom: 20,
    right: 410,
    top: 720,
  }
}

it.each([
  [0, [20, 620, 50, 690]],
  [90, [10, 20, 80, 50]],
  [180, [350, 10, 380, 80]],
  [270, [620, 350, 690, 380]],
])('a box on a page turned by %i degrees', (rotation, box) => {
  expect(uprightBox(turned(rotation), { left: 30, bottom: 30, right: 60, top: 100 })).toEqual(box)
})

it('a box inside the crop box is inside the upright page, with the same area', () => {
  const side = (from: number, to: number) => fc.integer({ min: from, max: to })
  fc.assert(
    fc.property(
      fc.constantFrom(0, 90, 180, 270),
      fc.tuple(side(10, 410), side(10, 410)),
      fc.tuple(side(20, 720), side(20, 720)),
      (rotation, xs, ys) => {
        const page = turned(rotation)
        const [left, right] = [Math.min(...xs), Math.max(...xs)]
        const [bottom, top] = [Math.min(...ys), Math.max(...ys)]
        const [x0, y0, x1, y1] = uprightBox(page, { left, bottom, right, top })
        expect(x0).toBeGreaterThanOrEqual(0)
        expect(y0).toBeGreaterThanOrEqual(0)
        expect(x1).toBeLessThanOrEqual(page.width)
        expect(y1).toBeLessThanOrEqual(page.height)
        expect((x1 - x0) * (y1 - y0)).toBeCloseTo((right - left) * (top - bottom))
      },
    ),
  )
})
