// OpenCV's algorithms to shrink a picture and to crop a face, identical to the last bit where fer/see uses them.
// A picture is {at, width, height} in the kernels' memory: uint8 RGBA, rows from the top.
import { roundEven } from "./numbers.js"

export const newPicture = (kernels, width, height) => ({ at: kernels.take(4 * width * height), width, height })

// The picture with its longer side `longest` pixels (fer.see.detect.shrink); a smaller one is enlarged only if `enlarge` is set.
export const shrink = (kernels, picture, longest, enlarge = false) => {
  const { width, height } = picture
  const scale = longest / Math.max(width, height)
  if (scale === 1 || (scale > 1 && !enlarge)) return picture
  const [toWidth, toHeight] = [width, height].map((side) => Math.max(1, roundEven(side * scale)))
  const to = newPicture(kernels, toWidth, toHeight)
  if (scale > 1) kernels.calls.resize_linear(picture.at, width, height, to.at, toWidth, toHeight)
  else {
    // Of a huge photo only every step-th pixel is used, as in fer.see.detect.
    const step = Math.max(1, Math.floor(1 / (3 * scale)))
    const skip = step > 1 ? Math.floor(step / 2) : 0
    const [across, down] = [width, height].map((side) => Math.ceil((side - skip) / step))
    resizeArea(kernels, picture.at + 4 * skip * (width + 1), across, down, 4 * step * width, 4 * step, to)
  }
  return to
}

// The picture turned by that many quarters counter-clockwise, as numpy.rot90.
export const turned = (kernels, picture, quarters) => {
  const { width, height } = picture
  const to = quarters % 2 ? newPicture(kernels, height, width) : newPicture(kernels, width, height)
  const [from, into] = [picture, to].map(({ at }) => new Uint32Array(kernels.calls.memory.buffer, at, width * height))
  const source = [
    (x, y) => y * width + x,
    (x, y) => x * width + width - 1 - y,
    (x, y) => (height - 1 - y) * width + width - 1 - x,
    (x, y) => (height - 1 - x) * width + y,
  ][quarters]
  for (let y = 0, i = 0; y < to.height; y++) for (let x = 0; x < to.width; x++) into[i++] = from[source(x, y)]
  return to
}

const resizeArea = (kernels, from, width, height, row, step, to) => {
  const numbers = 4 * to.width + 3 * (width + height) + 6 * (to.width + to.height)
  const scratch = kernels.take(4 * numbers)
  kernels.calls.resize_area(from, width, height, row, step, to.at, to.width, to.height, scratch)
}

// The square crop that frames a face as FER2013 does (fer.card.Framing.crop). box, crop: XYXY in pixels.
export const cropOf = ([left, top, right, bottom], framing) => {
  const side = Math.sqrt((((right - left) / framing.width) * (bottom - top)) / framing.height)
  const x = (left + right) / 2 - framing.center_x * side
  const y = (top + bottom) / 2 - framing.center_y * side
  return [x, y, x + side, y + side]
}

// The crop as grey uint8 (facePx × facePx), as fer.see.recognize.cut_square cuts it.
export const cutFace = (kernels, picture, [left, top, right, bottom], facePx) => {
  const side = Math.max(1, roundEven(right - left))
  // In float32, as OpenCV has its points.
  const place = (from, to) => Math.fround(Math.fround((from + to - 1) / 2) - Math.fround((side - 1) * 0.5))
  const [x, y] = [place(left, right), place(top, bottom)]
  const [column, row] = [Math.floor(x), Math.floor(y)]
  const [xPart, yPart] = [Math.max(Math.fround(x - column), 0.0001), Math.max(Math.fround(y - row), 0.0001)]
  const patch = newPicture(kernels, side, side)
  kernels.calls.cut_grey(picture.at, picture.width, picture.height, column, row, xPart, yPart, patch.at, side)
  const face = side === facePx ? patch : newPicture(kernels, facePx, facePx)
  if (side > facePx) resizeArea(kernels, patch.at, side, side, 4 * side, 4, face)
  else if (side < facePx) kernels.calls.resize_linear(patch.at, side, side, face.at, facePx, facePx)
  const four = kernels.bytes(face.at, 4 * facePx * facePx)
  return Uint8Array.from({ length: facePx * facePx }, (_, i) => four[4 * i])
}
