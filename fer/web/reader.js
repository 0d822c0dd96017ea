// The page's side of the worker: asks, and is answered.

// What went wrong, of a kind that `words.py` has words for.
export class Trouble extends Error {
  constructor(kind, detail = "") {
    super(detail)
    this.kind = kind
  }
}

export class Reader {
  // assets: {kernels, models, digests, rules}. `ready`: a promise of {ready_ms}; refused with a Trouble.
  constructor(source, assets) {
    this.waiting = new Map()
    this.count = 0
    const address = URL.createObjectURL(new Blob([source], { type: "text/javascript" }))
    try {
      this.worker = new Worker(address)
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
    this.ready = this.#ask({ begin: assets }).finally(() => URL.revokeObjectURL(address))
  }

  // image: VideoFrame or ImageBitmap, handed over. Gives {faces, width, height, took_ms}.
  read(image, look) {
    return this.#ask({ image, look }, [image])
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
