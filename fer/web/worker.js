// The worker: pictures in, faces out; one at a time, in the order they came.
import { compileKernels } from "./kernels.js"
import { ModelError } from "./onnx.js"
import { Recognizer } from "./recognize.js"

let recognizer = null
let canvas = null // for what VideoFrame.copyTo does not know

const kindOf = (error) => {
  if (error instanceof ModelError) return "model"
  if (error instanceof RangeError) return "memory"
  return error.name === "NotSupportedError" ? "simd" : "worker"
}

const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")

const begin = async ({ kernels, models, digests, rules }) => {
  const started = performance.now()
  for (const [name, bytes] of Object.entries(models)) {
    const digest = hex(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)))
    if (digest !== digests[name]) throw new ModelError(`the ${name} was damaged on its way`)
  }
  recognizer = new Recognizer(await compileKernels(kernels), models, rules)
  return { ready_ms: performance.now() - started }
}

// image: VideoFrame or ImageBitmap; closed here. look: the longer side that a camera's picture is looked at in; null:
// the image is a photo. bothWays: whether mirror images are read too.
const read = async ({ image, look, bothWays }) => {
  const started = performance.now()
  try {
    const { width, height } = image.visibleRect ?? image
    const picture = recognizer.open(width, height)
    await copy(image, picture)
    const photo = look === null
    const faces = photo ? recognizer.readPhoto(picture, bothWays) : recognizer.readFrame(picture, look, bothWays)
    const turn = photo ? recognizer.suggestTurn(picture, faces) : 0
    return { faces, turn, width, height, took_ms: performance.now() - started }
  } finally {
    image.close()
  }
}

const copy = async (image, picture) => {
  if (image.copyTo && !canvas && !image.rotation && !image.flip) {
    try {
      await image.copyTo(picture.view(), { format: "RGBA" })
      return
    } catch (error) {
      if (!["NotSupportedError", "TypeError"].includes(error.name)) throw error
    }
  }
  canvas ??= new OffscreenCanvas(1, 1)
  if (canvas.width !== picture.width || canvas.height !== picture.height) Object.assign(canvas, { width: picture.width, height: picture.height })
  const context = canvas.getContext("2d", { willReadFrequently: true })
  context.fillStyle = "white" // transparent parts of a photo become white
  context.fillRect(0, 0, picture.width, picture.height)
  context.drawImage(image, 0, 0, picture.width, picture.height)
  picture.view().set(context.getImageData(0, 0, picture.width, picture.height).data)
}

let turn = Promise.resolve()

self.onmessage = ({ data: { id, begin: assets, ...job } }) => {
  turn = turn.then(async () => {
    try {
      self.postMessage({ id, ...(assets ? await begin(assets) : await read(job)) })
    } catch (error) {
      self.postMessage({ id, kind: kindOf(error), words: error.message })
    }
  })
}
