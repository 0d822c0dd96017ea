// A picture → faces → expressions: fer/see/{yunet,detect,recognize}.py in the browser.
// `rules` are the numbers that Python uses, as fer/web/rules.py writes them down.
import { Kernels } from "./kernels.js"
import { ModelError } from "./onnx.js"
import { Network } from "./network.js"
import { cropOf, cutFace, newPicture, shrink } from "./picture.js"

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

  // Room for a picture's pixels, uint8 RGBA, which `view` writes; what the last picture left is given up.
  open(width, height) {
    this.pictures.reset()
    const picture = newPicture(this.pictures, width, height)
    return { ...picture, view: () => this.pictures.bytes(picture.at, 4 * width * height) }
  }

  // The faces of a camera's picture by one look at a copy `lookPx` wide (webui.view.live_stream.find_faces): a list of
  // {box: XYXY, landmarks: 5 × [x, y], score, probabilities: Float32Array}, in pixels of the picture.
  readFrame(picture, lookPx) {
    const small = shrink(this.pictures, picture, lookPx)
    return this.#classify(picture, this.#look(small, picture))
  }

  #look(small, picture) {
    const { min_score: minScore, overlap, strides, largest_step: largest } = this.rules.detector
    const [width, height] = [up32(small.width), up32(small.height)]
    const input = this.detector.plan({ count: 1, height, width, channels: 3, stride: 4 })
    this.#fill(small, input)
    this.detector.run()
    const faces = strides.flatMap((stride) => decode(this.detector, stride, minScore, largest))
    return bestOfOverlapping(faces, overlap).map((face) => scaled(face, picture.width / small.width, picture.height / small.height))
  }

  // The picture as YuNet takes it: BGR 0..255, black beyond it.
  #fill(picture, input) {
    const from = this.pictures.bytes(picture.at, 4 * picture.width * picture.height)
    const to = this.detector.kernels.floats(input.at, (input.height + 2) * (input.width + 2) * 4)
    const filled = `${input.at} ${picture.width} ${picture.height}`
    if (this.filled !== filled) to.fill(0) // a picture of another size may have filled more
    this.filled = filled
    for (let y = 0, i = 0; y < picture.height; y++)
      for (let x = 0, o = ((y + 1) * (input.width + 2) + 1) * 4; x < picture.width; x++, i += 4, o += 4) {
        to[o] = from[i + 2]
        to[o + 1] = from[i + 1]
        to[o + 2] = from[i]
      }
  }

  // All faces in one batch; probabilities are calibrated, for the temperature is in the file. Where the rules say so,
  // each face is read twice, as it is and mirrored, and the mean of both counts.
  #classify(picture, faces) {
    if (!faces.length) return faces
    const { framing, input_size_px: side, mirror } = this.rules
    const cut = faces.map(({ box }) => cutFace(this.pictures, picture, cropOf(box, framing)))
    const all = mirror ? [...cut, ...cut.map((grey) => mirrored(grey, side))] : cut
    const input = this.classifier.plan({ count: all.length, height: side, width: side, channels: 1, stride: 1 })
    const map = this.classifier.kernels.floats(input.at, all.length * (side + 2) ** 2)
    all.forEach((grey, n) => {
      for (let y = 0; y < side; y++) map.set(grey.subarray(y * side, (y + 1) * side), (n * (side + 2) + y + 1) * (side + 2) + 1)
    })
    this.classifier.run()
    const { numbers, channels } = this.classifier.read("probabilities")
    const shares = all.map((_, n) => numbers.slice(n * channels, (n + 1) * channels))
    const meanOf = (n) => (mirror ? shares[n].map((share, c) => (share + shares[cut.length + n][c]) / 2) : shares[n])
    return faces.map((face, n) => ({ ...face, probabilities: meanOf(n) }))
  }
}

// uint8 (side, side), turned left to right
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

// Of boxes that overlap more than that, only the best; best first.
const bestOfOverlapping = (faces, overlap) => {
  const kept = []
  for (const face of [...faces].sort((a, b) => b.score - a.score))
    if (kept.every((other) => shared(other.box, face.box) <= overlap)) kept.push(face)
  return kept
}

const scaled = ({ box, landmarks, score }, xScale, yScale) => ({
  box: box.map((value, i) => value * (i % 2 ? yScale : xScale)),
  landmarks: landmarks.map(([x, y]) => [x * xScale, y * yScale]),
  score: Math.min(1, score),
})
