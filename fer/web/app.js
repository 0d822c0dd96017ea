// The live camera in the page: picture with boxes, cards, timeline, snapshot, recording. Nothing leaves the browser.
import { Camera } from "./camera.js"
import { draw } from "./draw.js"
import { Judge } from "./judge.js"
import { cards, figures, legend, shares, strips } from "./panel.js"
import { button, element, notice, save, speaker } from "./parts.js"
import { openReader, Trouble } from "./reader.js"
import { Recording, Timeline, toCsv } from "./timeline.js"
import { Tracker } from "./track.js"

const SPEAK_MS = 3000
// How a look follows the device: where it takes longer than SLOW_MS the mirror images are given up first, then its size;
// both come back where it would then take less than FAST_MS.
const STEPS = [[1, true], [1, false], [5 / 6, false], [2 / 3, false], [1 / 2, false]].map(([share, mirrored]) => ({ share, mirrored }))
const SLOW_MS = 48, FAST_MS = 40
// How many times as long a look of the first step may take as one of the second.
const dearer = (more, less) => (more.share / less.share) ** 2 * (more.mirrored && !less.mirrored ? 2 : 1)

const median = (values) => (values.length ? [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] : null)

export class LiveApp {
  // script: the worker's, as for Reader. assets(): promise of {kernels, models, digests}. rules, words: from rules.py
  // and words.py. settings: as for `update`.
  // toServer: called if the visitor prefers to have the server read; null if there is no server.
  constructor(root, { script, assets, rules, words, settings, toServer = null }) {
    Object.assign(this, { root, script, assets, rules, words, settings, toServer })
    this.window = 1000 * rules.page.window_s
    this.tracker = new Tracker(rules.track)
    this.timeline = new Timeline(() => new Judge(this.settings.judge, rules.classes), rules.timeline)
    this.recording = null
    this.frames = []
    this.looks = []
    this.step = 0
    this.#build()
    this.camera = new Camera(this.video, (time) => this.#frame(time), (trouble) => this.#tell(trouble), rules.page.silent_s)
    this.#showPanel()
  }

  // New settings: {mirror, landmarks, judge, wanted}. judge.both_ways: whether mirror images are read as long as the
  // looks keep up; wanted: the camera's constraints, for its next start.
  update(settings) {
    const judgedOtherwise = JSON.stringify(settings.judge) !== JSON.stringify(this.settings.judge)
    this.settings = settings
    this.stage.classList.toggle("mirror", settings.mirror)
    if (judgedOtherwise) this.timeline.judgeAgain()
    this.#drawBoxes(this.tracker.time)
    this.#showPanel()
  }

  // Changes the networks, from the next look on.
  reload(assets, rules) {
    Object.assign(this, { assets, rules })
    this.reader?.close()
    this.reader = null
    if (this.camera.on) this.#load().catch((trouble) => this.#tell(trouble))
  }

  dispose() {
    this.stop()
    this.reader?.close()
    this.root.replaceChildren()
  }

  async start() {
    this.startButton.disabled = true
    this.#tell(null)
    try {
      // Both take a while, and the visitor may have to answer a question meanwhile.
      await Promise.all([this.reader ?? this.#load(), this.camera.start(this.#wanted())])
      this.adapted = performance.now()
      this.panelTimer = setInterval(() => document.hidden || this.#showPanel(), 1000 * this.rules.page.panel_every_s)
      await this.#listCameras()
    } catch (error) {
      this.stop()
      this.#tell(error instanceof Trouble ? error : new Trouble("worker", error.message))
    }
    this.#showButtons()
    this.#showPanel()
  }

  stop() {
    this.camera.stop()
    clearInterval(this.panelTimer)
    this.#keepRecording()
    this.tracker = this.tracker.restarted()
    this.overlay.getContext("2d").clearRect(0, 0, this.overlay.width, this.overlay.height)
    this.#showButtons()
    this.#showPanel()
  }

  async #load() {
    this.reader = await openReader(this.script, this.assets, this.rules)
  }

  #wanted() {
    const device = this.select.value ? { deviceId: { exact: this.select.value } } : {}
    return { audio: false, video: { ...this.settings.wanted.video, ...device } }
  }

  #build() {
    this.video = element("video", "", "", { playsinline: "", muted: "", autoplay: "" })
    this.video.muted = true
    this.overlay = element("canvas")
    this.notice = element("div", "live-notice")
    this.stage = element("div", "live-stage")
    this.stage.classList.toggle("mirror", this.settings.mirror)
    this.stage.append(this.video, this.overlay)
    this.startButton = button("", () => (this.camera.on ? this.stop() : this.start()))
    this.startButton.className = "primary"
    this.select = element("select", "", "", { "aria-label": "Select device" })
    this.select.onchange = () => this.camera.on && (this.stop(), this.start())
    this.snapshotButton = button("Snapshot", () => this.#takeSnapshot())
    this.snapshotButton.title = "Keep the picture as shown now, with its boxes."
    this.recordButton = button("Record", () => (this.recording ? this.#keepRecording() : this.#startRecording()))
    this.recordButton.title = "Keep times, boxes and probabilities (no pictures) in memory."
    const controls = element("div", "live-controls")
    controls.append(this.startButton, this.select, this.snapshotButton, this.recordButton)
    this.snapshot = element("div", "live-snapshot")
    const picture = element("div", "live-picture")
    picture.append(this.stage, controls, this.snapshot)
    this.panel = element("div", "live-panel")
    this.kept = element("div", "live-kept")
    const columns = element("div", "live-columns")
    columns.append(picture, this.panel)
    this.spoken = speaker(SPEAK_MS)
    this.root.replaceChildren(this.notice, columns, this.kept, this.spoken.place)
    this.#showButtons()
  }

  #frame(time) {
    this.frames.push(performance.now())
    this.#drawBoxes(time)
    if (!this.busy && this.reader) this.#look(time)
  }

  async #look(time) {
    this.busy = true
    const { reader } = this
    try {
      const bothWays = this.settings.judge.both_ways && STEPS[this.step].mirrored
      const { faces, width, height, took_ms: took } = await reader.read(await this.camera.grab(), this.#lookPx(), bothWays)
      if (!this.camera.on || reader !== this.reader) return
      this.#take(faces, width, height, time)
      const now = performance.now()
      this.looks.push({ at: now, took, delay: now - 1000 * time })
      this.root.dispatchEvent(new CustomEvent("look", { detail: { time, faces: faces.length, took, delay: now - 1000 * time } }))
      this.#adapt()
    } catch (error) {
      if (error.kind !== "closed" && this.camera.on) {
        this.stop()
        this.reader?.close() // it may have crashed: the next start opens another
        this.reader = null
        this.#tell(error instanceof Trouble ? error : new Trouble("worker", error.message))
      }
    } finally {
      this.busy = false
    }
  }

  #take(faces, width, height, time) {
    const step = time - this.tracker.time
    const turned = this.overlay.width !== width || this.overlay.height !== height
    if (turned) Object.assign(this.overlay, { width, height })
    // A clock that jumps means a new stream; so does another picture size, as when a phone is turned.
    if (step <= 0 || step > this.rules.clock_jump_s || turned) this.tracker = this.tracker.restarted()
    const look = { time, unix: (performance.timeOrigin + 1000 * time) / 1000, tracks: this.tracker.update(faces, time) }
    this.timeline.add(look)
    this.recording?.add(look)
    this.#drawBoxes(time)
  }

  // Each face's prediction, at its place extrapolated to that time.
  #shown(time) {
    const places = this.tracker.at(time)
    const said = this.camera.on ? (this.timeline.newest?.predictions ?? []) : []
    return said.filter(({ identity }) => places.has(identity)).map((seen) => ({ ...seen, face: places.get(seen.identity) }))
  }

  #drawBoxes(time) {
    this.overlay.getContext("2d").clearRect(0, 0, this.overlay.width, this.overlay.height)
    const { mirror, landmarks } = this.settings
    draw(this.overlay, this.#shown(time), this.rules, { mirror, landmarks, numbered: true })
  }

  #recent() {
    const since = performance.now() - this.window
    this.frames = this.frames.filter((at) => at > since)
    this.looks = this.looks.filter(({ at }) => at > since)
    return this.looks
  }

  #adapt() {
    const recent = this.#recent()
    if (performance.now() - this.adapted < this.window) return
    const took = median(recent.map((look) => look.took))
    const more = this.step > 0 ? took * dearer(STEPS[this.step - 1], STEPS[this.step]) : Infinity
    const step = took > SLOW_MS && this.step < STEPS.length - 1 ? 1 : more < FAST_MS ? -1 : 0
    if (step) Object.assign(this, { step: this.step + step, adapted: performance.now() })
  }

  #lookPx() {
    return Math.round(this.rules.detector.look_px * STEPS[this.step].share)
  }

  #showPanel() {
    if (!this.timeline.looks.length && !this.camera.on) {
      const empty = element("div", "empty")
      empty.append(element("span", "mark", "🎥"), element("b", "", "Nothing to see yet"), element("p", "", this.rules.page.nothing_yet))
      this.panel.replaceChildren(empty)
      return
    }
    const looks = this.#recent()
    const numbers = {
      framesPerS: this.frames.length / (this.window / 1000),
      looksPerS: Math.min(looks.length, this.frames.length) / (this.window / 1000),
      delayMs: median(looks.map(({ delay }) => delay)),
      width: this.overlay.width,
      height: this.overlay.height,
      look: this.#lookPx(),
    }
    const said = this.camera.on ? (this.timeline.newest?.predictions ?? []) : []
    if (this.camera.on) this.spoken.say(said.map(({ identity, label }) => `${identity} ${label}`).join(", ") || "no face")
    const sign = this.recording ? [element("p", "live-record", `Recording, ${Math.round(this.recording.duration)} s`, { role: "status" })] : []
    this.panel.replaceChildren(figures(numbers), ...cards(said, this.rules), ...strips(this.timeline.samples, this.timeline.span, this.rules), legend(this.rules), ...sign)
  }

  #showButtons() {
    const on = this.camera?.on ?? false
    this.startButton.disabled = false
    this.startButton.textContent = on ? this.rules.page.stop : this.rules.page.start
    this.snapshotButton.disabled = this.recordButton.disabled = !on
    this.recordButton.textContent = this.recording ? "Stop recording" : "Record"
    this.stage.classList.toggle("on", on)
    this.select.hidden = this.select.options.length < 2
  }

  async #listCameras() {
    const found = await this.camera.list()
    const now = this.camera.stream?.getVideoTracks()[0]?.getSettings().deviceId
    this.select.replaceChildren(...found.map(({ id, name }, i) => element("option", "", name || `Camera ${i + 1}`, { value: id })))
    if (now) this.select.value = now
  }

  // trouble: a Trouble of a kind with a message; null: all is well.
  #tell(trouble) {
    if (trouble === null || trouble.kind === "closed") return this.notice.replaceChildren()
    this.notice.replaceChildren(notice(this.words, trouble, trouble.kind === "asking" ? null : this.toServer))
  }

  #takeSnapshot() {
    const canvas = element("canvas")
    Object.assign(canvas, { width: this.video.videoWidth, height: this.video.videoHeight })
    const context = canvas.getContext("2d")
    if (this.settings.mirror) context.setTransform(-1, 0, 0, 1, canvas.width, 0)
    context.drawImage(this.video, 0, 0)
    context.resetTransform()
    context.drawImage(this.overlay, 0, 0, canvas.width, canvas.height)
    canvas.toBlob((blob) => {
      const image = element("img", "", "", { alt: "Snapshot", src: URL.createObjectURL(blob) })
      const discard = () => {
        URL.revokeObjectURL(image.src)
        this.snapshot.replaceChildren()
        this.snapshotButton.focus()
      }
      const controls = element("div", "live-controls")
      controls.append(button("Save the snapshot", () => save(blob, "snapshot.png")), button("Discard", discard))
      this.snapshot.replaceChildren(image, controls)
    })
  }

  #startRecording() {
    this.kept.replaceChildren()
    this.recording = new Recording(this.rules.timeline)
    this.#showButtons()
    this.#showPanel()
  }

  #keepRecording() {
    if (!this.recording) return
    const by = new Judge(this.settings.judge, this.rules.classes)
    const samples = this.recording.looks.map((look) => by.add(look))
    const controls = element("div", "live-controls")
    controls.append(
      button("CSV", () => save(new Blob([toCsv(samples, this.rules.columns)], { type: "text/csv" }), "recording.csv")),
      button("Discard", () => (this.kept.replaceChildren(), this.recordButton.focus())),
    )
    const seen = samples.some(({ predictions }) => predictions.length)
    const shown = seen ? [shares(samples, this.rules), ...strips(samples, null, this.rules), legend(this.rules)] : [element("p", "quiet", "No face was seen.")]
    this.kept.replaceChildren(element("h2", "", `Recording of ${Math.round(this.recording.duration)} seconds`), ...shown, controls)
    this.recording = null
    this.#showButtons()
  }
}
