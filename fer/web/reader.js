// The page's side of the worker: sends requests and receives answers.

// An error, of a kind for which `words.py` has a message.
export class Trouble extends Error {
  constructor(kind, detail = "") {
    super(detail)
    this.kind = kind
  }
}

export class Reader {
  // script: the worker's, {source} as text or {address} of a module. assets: {kernels, models, digests, rules}; kernels
  // and models are handed over.
  // `ready`: a promise of {ready_ms}; refused with a Trouble.
  constructor({ source, address }, assets) {
    this.waiting = new Map()
    this.count = 0
    const blob = source && URL.createObjectURL(new Blob([source], { type: "text/javascript" }))
    try {
      this.worker = blob ? new Worker(blob) : new Worker(address, { type: "module" })
    } catch (error) {
      throw new Trouble("worker", error.message) // a security policy that allows no worker from a blob
    }
    this.worker.onmessage = ({ data: { id, kind, words, ...answer } }) => {
      const { resolve, reject } = this.waiting.get(id)
      this.waiting.delete(id)
      if (kind) reject(new Trouble(kind, words))
      else resolve(answer)
    }
    this.worker.onerror = (event) => this.#fail(new Trouble("worker", event.message || "its script could not be loaded"))
    const files = [...Object.values(assets.kernels), ...Object.values(assets.models)]
    this.ready = this.#ask({ begin: assets }, files.map(({ buffer }) => buffer)).finally(() => blob && URL.revokeObjectURL(blob))
  }

  // image: VideoFrame or ImageBitmap, handed over. look, bothWays: as the worker has them. Gives {faces, turn, width, height, took_ms}.
  read(image, look, bothWays) {
    return this.#ask({ image, look, bothWays }, [image])
  }

  close() {
    this.worker.terminate()
    this.#fail(new Trouble("closed"))
  }

  #ask(message, handedOver = []) {
    return new Promise((resolve, reject) => {
      const id = (this.count += 1)
      this.waiting.set(id, { resolve, reject })
      this.worker.postMessage({ id, ...message }, handedOver)
    })
  }

  #fail(trouble) {
    for (const { reject } of this.waiting.values()) reject(trouble)
    this.waiting.clear()
  }
}

// A Reader that is ready. assets(): promise of {kernels, models, digests}. Throws a Trouble.
export const openReader = async (script, assets, rules) => {
  let given
  try {
    given = await assets()
  } catch (error) {
    throw error instanceof Trouble ? error : new Trouble("download", error.message)
  }
  const reader = new Reader(script, { ...given, rules })
  try {
    await reader.ready
  } catch (trouble) {
    reader.close()
    throw trouble
  }
  return reader
}
