// A picture → faces → expressions: fer/see/{yunet,detect,recognize}.py in the browser.
// `rules` are Python's parameters, written by fer/web/rules.py.
import { Kernels } from "./kernels.js"
import { ModelError } from "./onnx.js"
import { Network } from "./network.js"
import { roundEven } from "./numbers.js"
import { cropOf, cutFace, newPicture, shrink, turned } from "./picture.js"
import { measureQuality } from "./quality.js"

const BATCH = 16

const up32 = (side) => Math.ceil(side / 32) * 32

export class Recognizer {
  // module: of compileKernels. models: {detector, classifier}, Uint8Array each: the ONNX files.
  // Throws ModelError for a network that the kernels do not know.
  constructor(module, models, rules) {
    this.rules = rules
    this.pictures = new Kernels(module)
    this.detector = new Network(new Kernels(module), models.detector)
    this.classifier = new Network(new Kernels(module), models.classifier)
    if (!this.classifier.model.outputs.includes("probabilities")) throw new ModelError("the weights give no probabilities")
  }

  // Room for a picture's pixels, uint8 RGBA, written through `view`; the previous picture's is released.
  open(width, height) {
    this.pictures.reset()
    const picture = newPicture(this.pictures, width, height)
    return { ...picture, view: () => this.pictures.bytes(picture.at, 4 * width * height) }
  }

  // The faces of a camera's picture by one look at a copy `lookPx` wide (webui.view.live_stream.find_faces): a list of
  // {box: XYXY, landmarks: 5 × [x, y], score, probabilities: Float32Array, quality}, in pixels of the picture.
  // bothWays: whether each face is read as it is and mirrored, and the mean of both counts.
  readFrame(picture, lookPx, bothWays = this.rules.mirror) {
    return this.#classify(picture, this.#look(picture, lookPx, this.rules.detector.min_score), bothWays)
  }

  // The faces of a photo, the most prominent first: by one look, and by a larger one where the first leaves doubt
  // (fer.see.detect.YuNet.detect, fer.see.recognize.prominence).
  readPhoto(picture, bothWays = this.rules.mirror) {
    const { detector: rule } = this.rules
    const seen = this.#look(picture, rule.first_look_px, Math.min(rule.hint_score, rule.min_score))
    let faces = seen.filter(({ score }) => score >= rule.min_score)
    const second = secondLook(picture, seen, rule)
    if (second) {
      const more = this.#look(picture, second, rule.min_score, true)
      const scale = Math.min(1, rule.first_look_px / Math.max(picture.width, picture.height))
      faces = bestOfOverlapping([...faces, ...more.filter((face) => heightOf(face) * scale < rule.known_face_px)], rule.overlap)
    }
    return this.#classify(picture, faces.sort((a, b) => prominence(b, picture) - prominence(a, picture)), bothWays)
  }

  // By how many degrees counter-clockwise to turn a photo so that its faces are upright (fer.see.detect.suggest_turn).
  suggestTurn(picture, faces) {
    const { detector: rule } = this.rules
    const sum = (values) => values.reduce((total, value) => total + value, 0)
    if (faces.length && sum(faces.map(({ score }) => score)) / faces.length >= rule.surely_upright) return 0
    const small = shrink(this.pictures, picture, rule.first_look_px)
    const evidence = [0, 1, 2, 3].map((quarters) => {
      const found = this.#look(turned(this.pictures, small, quarters), rule.first_look_px, rule.min_score)
      return sum(found.map(({ score }) => Math.max(score - 0.5, 0)))
    })
    const best = evidence.indexOf(Math.max(...evidence))
    return evidence[best] > evidence[0] * rule.clearly_better && evidence[best] >= rule.sure_evidence ? 90 * best : 0
  }

  #look(picture, longest, minScore, enlarge = false) {
    const small = shrink(this.pictures, picture, longest, enlarge)
    const [xScale, yScale] = [picture.width / small.width, picture.height / small.height]
    return tilesOf(small, this.rules.detector)
      .flatMap((tile) => this.#lookAt(small, tile, minScore))
      .map((face) => placed(face, 0, 0, xScale, yScale))
  }

  // The faces of a tile of a picture, in pixels of the picture; faces cut by a seam are left to the next tile.
  #lookAt(small, [left, top, right, bottom], minScore) {
    const { overlap, strides, largest_step: largest } = this.rules.detector
    const input = this.detector.plan({ count: 1, height: up32(bottom - top), width: up32(right - left), channels: 3, stride: 4 })
    this.#fill(small, [left, top, right, bottom], input)
    this.detector.run()
    const faces = strides.flatMap((stride) => decode(this.detector, stride, minScore, largest))
    return bestOfOverlapping(faces, overlap)
      .map((face) => placed(face, left, top, 1, 1))
      .filter(({ box }) =>
        !((left > 0 && box[0] < left) || (top > 0 && box[1] < top) || (right < small.width && box[2] > right) || (bottom < small.height && box[3] > bottom)))
  }

  // A tile of the picture as YuNet's input: BGR 0..255, black beyond it.
  #fill(picture, [left, top, right, bottom], input) {
    const from = this.pictures.bytes(picture.at, 4 * picture.width * picture.height)
    const to = this.detector.kernels.floats(input.at, (input.height + 2) * (input.width + 2) * 4)
    const [width, height] = [right - left, bottom - top]
    const filled = `${input.at} ${width} ${height}`
    if (this.filled !== filled) to.fill(0) // a tile of another size may have filled more
    this.filled = filled
    for (let y = 0; y < height; y++) {
      let i = 4 * ((top + y) * picture.width + left)
      for (let x = 0, o = ((y + 1) * (input.width + 2) + 1) * 4; x < width; x++, i += 4, o += 4) {
        to[o] = from[i + 2]
        to[o + 1] = from[i + 1]
        to[o + 2] = from[i]
      }
    }
  }

  // Probabilities are calibrated, for the temperature is in the file. A crowd goes in batches, as memory grows with them.
  #classify(picture, faces, bothWays) {
    if (faces.length > BATCH) return [faces.slice(0, BATCH), faces.slice(BATCH)].flatMap((some) => this.#classify(picture, some, bothWays))
    if (!faces.length) return faces
    const { framing, input_size_px: side } = this.rules
    const crops = faces.map(({ box }) => cropOf(box, framing))
    const cut = crops.map((crop) => cutFace(this.pictures, picture, crop, side))
    const all = bothWays ? [...cut, ...cut.map((grey) => mirrored(grey, side))] : cut
    const input = this.classifier.plan({ count: all.length, height: side, width: side, channels: 1, stride: 1 })
    const map = this.classifier.kernels.floats(input.at, all.length * (side + 2) ** 2)
    all.forEach((grey, n) => {
      for (let y = 0; y < side; y++) map.set(grey.subarray(y * side, (y + 1) * side), (n * (side + 2) + y + 1) * (side + 2) + 1)
    })
    this.classifier.run()
    const { numbers, channels } = this.classifier.read("probabilities")
    const shares = all.map((_, n) => numbers.slice(n * channels, (n + 1) * channels))
    const meanOf = (n) => (bothWays ? shares[n].map((share, c) => (share + shares[cut.length + n][c]) / 2) : shares[n])
    const sideOf = ([left, , right]) => right - left
    const qualityOf = (face, n) => measureQuality(cut[n], face, sideOf(crops[n]), picture.width, picture.height)
    return faces.map((face, n) => ({ ...face, probabilities: meanOf(n), quality: qualityOf(face, n) }))
  }
}

// uint8 (side, side), mirrored
const mirrored = (grey, side) => grey.map((_, i) => grey[i - (i % side) + side - 1 - (i % side)])

// One stride's outputs as faces in pixels of the network's input (fer.see.yunet._decode).
const decode = (network, stride, minScore, largest) => {
  const [cls, obj, box, points] = ["cls", "obj", "bbox", "kps"].map((kind) => network.read(`${kind}_${stride}`))
  const faces = []
  const within = (value) => Math.min(Math.max(value, 0), 1)
  for (let i = 0; i < cls.numbers.length; i++) {
    const score = Math.sqrt(within(cls.numbers[i]) * within(obj.numbers[i]))
    if (!(score >= minScore)) continue
    const [column, row] = [i % cls.width, Math.floor(i / cls.width)]
    const at = box.numbers.subarray(4 * i, 4 * i + 4)
    const [x, y] = [(column + at[0]) * stride, (row + at[1]) * stride]
    const [width, height] = [2, 3].map((k) => Math.exp(Math.min(at[k], largest)) * stride)
    const landmarks = Array.from({ length: 5 }, (_, k) => [
      (points.numbers[10 * i + 2 * k] + column) * stride,
      (points.numbers[10 * i + 2 * k + 1] + row) * stride,
    ])
    faces.push({ box: [x - width / 2, y - height / 2, x + width / 2, y + height / 2], landmarks, score })
  }
  return faces
}

const area = ([left, top, right, bottom]) => Math.max(0, right - left) * Math.max(0, bottom - top)

const shared = (a, b) => {
  const both = area([Math.max(a[0], b[0]), Math.max(a[1], b[1]), Math.min(a[2], b[2]), Math.min(a[3], b[3])])
  return both / (area(a) + area(b) - both)
}

// Of boxes that overlap by more than that only the best is kept; best first.
const bestOfOverlapping = (faces, overlap) => {
  const kept = []
  for (const face of [...faces].sort((a, b) => b.score - a.score))
    if (kept.every((other) => shared(other.box, face.box) <= overlap)) kept.push(face)
  return kept
}

// The face moved, then scaled.
const placed = ({ box, landmarks, score }, x, y, xScale, yScale) => ({
  box: box.map((value, i) => (i % 2 ? (value + y) * yScale : (value + x) * xScale)),
  landmarks: landmarks.map(([px, py]) => [(px + x) * xScale, (py + y) * yScale]),
  score: Math.min(1, score),
})

const heightOf = ({ box }) => box[3] - box[1]

// The longer side of a photo's second look; 0 where the first was enough (fer.see.detect.second_look_px).
const secondLook = ({ width, height }, seen, rule) => {
  const longest = Math.max(width, height), first = Math.min(rule.first_look_px, longest)
  const fine = Math.floor(longest * Math.min(rule.fine_scale, Math.sqrt(rule.fine_pixels / (width * height))))
  const small = seen.some((face) => (heightOf(face) * first) / longest < rule.small_face_px)
  if (small || !seen.some(({ score }) => score >= rule.min_score)) return Math.max(fine, roundEven(first * rule.second_look))
  return first < longest * rule.enough_scale ? fine : 0
}

// Pieces of a picture, XYXY, that the network takes one by one (fer.see.detect.tiles).
const tilesOf = ({ width, height }, { tile_px: most, tile_overlap_px: shared }) => {
  const spans = (length) => {
    if (length <= most) return [[0, length]]
    const count = Math.ceil((length - shared) / (most - shared))
    const side = Math.ceil((length + (count - 1) * shared) / count)
    return Array.from({ length: count }, (_, i) => roundEven((i * (length - side)) / (count - 1))).map((start) => [start, start + side])
  }
  return spans(height).flatMap(([top, bottom]) => spans(width).map(([left, right]) => [left, top, right, bottom]))
}

// fer.see.recognize.prominence
const prominence = ({ box: [left, top, right, bottom], score }, { width, height }) => {
  const [x, y] = [(left + right) / 2 / width - 0.5, (top + bottom) / 2 / height - 0.5]
  const fromCenter = Math.hypot(x, y) / Math.hypot(0.5, 0.5)
  return (right - left) * (bottom - top) * score * (1 - Math.min(fromCenter, 1) / 2)
}
