// A camera: its stream, its frames as they are shown, and its errors.
import { Trouble } from "./reader.js"

const ASK_MS = 500 // a browser that answers without asking the visitor is faster

const kindOf = ({ name }) => {
  if (name === "NotAllowedError" || name === "SecurityError") return "denied"
  return name === "NotFoundError" || name === "OverconstrainedError" ? "no_camera" : "busy"
}

export class Camera {
  // onFrame(time in seconds): a new frame is on the screen. onTrouble(Trouble or null): an error, or its end.
  // silentLimit: this many seconds without a frame are an error.
  constructor(video, onFrame, onTrouble, silentLimit) {
    Object.assign(this, { video, onFrame, onTrouble, silentLimit, stream: null, lastFrame: 0, silent: false })
  }

  get on() {
    return this.stream !== null
  }

  // wanted: constraints of getUserMedia. Throws a Trouble.
  async start(wanted) {
    if (!window.isSecureContext || !navigator.mediaDevices?.getUserMedia) throw new Trouble("insecure")
    const asking = setTimeout(() => this.onTrouble(new Trouble("asking")), ASK_MS)
    const starting = (this.starting = {})
    let stream
    try {
      stream = await navigator.mediaDevices.getUserMedia(wanted)
    } catch (error) {
      throw new Trouble(kindOf(error), error.message)
    } finally {
      clearTimeout(asking)
    }
    if (this.starting !== starting) {
      for (const track of stream.getTracks()) track.stop() // the visitor pressed Stop while the browser was asking
      throw new Trouble("closed")
    }
    this.stream = stream
    this.onTrouble(null)
    for (const track of stream.getTracks()) track.addEventListener("ended", () => this.on && this.onTrouble(new Trouble("unplugged")))
    this.video.srcObject = stream
    await this.video.play().catch((error) => {
      if (error.name !== "AbortError") throw new Trouble("busy", error.message)
    })
    this.lastFrame = performance.now()
    this.watch = setInterval(() => this.#watch(), 1000)
    this.#next()
  }

  stop() {
    this.starting = null
    clearInterval(this.watch)
    for (const track of this.stream?.getTracks() ?? []) track.stop()
    this.stream = this.video.srcObject = null
  }

  // The names of all cameras: [{id, name}], once one has been allowed.
  async list() {
    const devices = await navigator.mediaDevices.enumerateDevices()
    return devices.filter(({ kind }) => kind === "videoinput").map(({ deviceId: id, label: name }) => ({ id, name }))
  }

  // The picture on the screen, to transfer to the worker.
  async grab() {
    if (typeof VideoFrame !== "undefined") return new VideoFrame(this.video, { timestamp: 0 })
    return createImageBitmap(this.video)
  }

  #next() {
    const { video, stream } = this
    const show = (now, about) => {
      if (this.stream !== stream) return
      this.#next()
      this.lastFrame = performance.now()
      if (this.silent) {
        this.silent = false
        this.onTrouble(null)
      }
      if (!document.hidden) this.onFrame((about?.captureTime ?? now) / 1000)
    }
    // A hidden tab pauses: most browsers call nothing there; in the others only this keeps running.
    if (video.requestVideoFrameCallback) video.requestVideoFrameCallback(show)
    else requestAnimationFrame(() => (video.currentTime === this.shown ? this.stream === stream && this.#next() : ((this.shown = video.currentTime), show(performance.now()))))
  }

  #watch() {
    if (document.hidden) this.lastFrame = performance.now()
    else if (!this.silent && performance.now() - this.lastFrame > 1000 * this.silentLimit) {
      this.silent = true
      this.onTrouble(new Trouble("unplugged"))
    }
  }
}
