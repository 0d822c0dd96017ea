// Whether a face's picture can be read at all: fer/see/quality.py with the same parameters.

// grey: the crop, uint8 S × S. face: {box: XYXY, landmarks, score}. sidePx: of the square in a picture width × height.
export const measureQuality = (grey, face, sidePx, width, height) => {
  const side = Math.sqrt(grey.length)
  const sum = grey.reduce((total, value) => total + value, 0)
  const squares = grey.reduce((total, value) => total + value * value, 0)
  const brightness = sum / grey.length
  const variance = Math.max(0, (squares - sum * brightness) / grey.length)
  const [turn, tilt] = poseOf(face.landmarks) ?? [null, null]
  return {
    side_px: sidePx,
    inside: shareInside(face.box, width, height),
    brightness,
    contrast: Math.sqrt(variance),
    sharpness: variance > 0 ? laplacianSquares(grey, side) / grey.length / variance : 0,
    turn,
    tilt,
  }
}

// The Laplacian's sum of squares; beyond the edge the picture is mirrored, as OpenCV does.
const laplacianSquares = (grey, side) => {
  const at = (i) => (i < 0 ? -i : i >= side ? 2 * side - 2 - i : i)
  let total = 0
  for (let y = 0; y < side; y++)
    for (let x = 0; x < side; x++) {
      const across = grey[y * side + at(x - 1)] + grey[y * side + at(x + 1)]
      const down = grey[at(y - 1) * side + x] + grey[at(y + 1) * side + x]
      total += (across + down - 4 * grey[y * side + x]) ** 2
    }
  return total
}

const shareInside = ([left, top, right, bottom], width, height) => {
  const across = Math.max(0, Math.min(right, width) - Math.max(left, 0))
  const down = Math.max(0, Math.min(bottom, height) - Math.max(top, 0))
  return (across * down) / ((right - left) * (bottom - top))
}

// [turn, tilt] of five landmarks; null without landmarks, or if they coincide.
const poseOf = (landmarks) => {
  if (!landmarks) return null
  const [rightEye, leftEye, nose, rightMouth, leftMouth] = landmarks
  const middle = (a, b) => [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2]
  const minus = (a, b) => [a[0] - b[0], a[1] - b[1]]
  const eyes = middle(rightEye, leftEye)
  const across = minus(leftEye, rightEye), down = minus(middle(rightMouth, leftMouth), eyes), off = minus(nose, eyes)
  const apart = Math.hypot(...across), length = Math.hypot(...down)
  if (apart === 0 || length === 0) return null
  const turn = Math.abs(off[0] * down[1] - off[1] * down[0]) / (length * apart)
  return [turn, Math.abs((Math.atan2(down[0], down[1]) * 180) / Math.PI)]
}

// Why a face cannot be read: the reason of the first limit that it breaks; "" where it breaks none. limits: of the
// rules, as fer.see.quality.Limit has them. before: the reason given in the previous look.
export const unreadable = (quality, limits, before = "") =>
  (quality && limits.find((limit) => breaksLimit(limit, quality, limit.reason === before))?.reason) ?? ""

const breaksLimit = ({ measure, least, most, margin }, quality, before) => {
  const value = quality[measure]
  if (value === null || value === undefined) return false
  const kept = before ? margin : 0
  return (least !== null && value < least * (1 + kept)) || (most !== null && value > most * (1 - kept))
}
