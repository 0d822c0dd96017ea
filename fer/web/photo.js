// Photos read in the page: a picture with boxes and a card for each face. Nothing leaves the browser.
import { draw } from "./draw.js"
import { caption, Judge } from "./judge.js"
import { photoCards } from "./panel.js"
import { button, element, notice, parent, save, speaker } from "./parts.js"
import { cropOf } from "./picture.js"
import { openReader, Trouble } from "./reader.js"
import { toCsv } from "./timeline.js"

const NAMED = 5 // of the photos for which there is no room
const MOST_MEGAPIXELS = 40 // 160 MB of pixels, held twice

const counted = (faces) => `${faces} face${faces === 1 ? "" : "s"}`

const scaledFace = (seen, scale) => ({
  ...seen,
  face: { ...seen.face, box: seen.face.box.map((value) => value * scale), landmarks: seen.face.landmarks.map((point) => point.map((value) => value * scale)) },
})

// An image turned by that many degrees counter-clockwise.
const turnedImage = (image, degrees) => {
  if (degrees === 0) return image
  const { naturalWidth: width, naturalHeight: height } = image
  const canvas = element("canvas")
  Object.assign(canvas, degrees % 180 ? { width: height, height: width } : { width, height })
  const context = canvas.getContext("2d")
  context.translate(canvas.width / 2, canvas.height / 2)
  context.rotate((-degrees * Math.PI) / 180)
  context.drawImage(image, -width / 2, -height / 2)
  return canvas
}

// Whether a file is an animation; false where the browser cannot tell.
const isAnimation = async (file) => {
  if (!window.ImageDecoder || !(await ImageDecoder.isTypeSupported(file.type).catch(() => false))) return false
  const decoder = new ImageDecoder({ data: file.stream(), type: file.type })
  try {
    await decoder.completed
    return decoder.tracks.selectedTrack.frameCount > 1
  } catch {
    return false
  } finally {
    decoder.close()
  }
}

export class PhotoApp {
  // As for LiveApp; settings: {judge, landmarks}.
  constructor(root, { script, assets, rules, words, settings, toServer = null }) {
    Object.assign(this, { root, script, assets, rules, words, settings, toServer, photos: [], waiting: 0, ended: false })
    this.choice = element("input", "", "", { type: "file", accept: "image/*", multiple: "", "aria-label": "Choose photos" })
    this.choice.onchange = () => this.#add([...this.choice.files])
    this.drop = parent("label", "photo-drop", [element("b", "", "Drop photos here, or choose them"), this.choice])
    this.drop.ondragover = (event) => event.preventDefault()
    this.drop.ondrop = (event) => {
      event.preventDefault()
      this.#add([...event.dataTransfer.files])
    }
    this.shown = element("div", "photos")
    this.spoken = speaker(0)
    this.root.replaceChildren(this.drop, this.spoken.place, this.shown)
  }

  update(settings) {
    const readOtherwise = settings.judge.both_ways !== this.settings.judge.both_ways
    this.settings = settings
    if (readOtherwise) this.#readAgain()
    else for (const photo of this.photos) this.#show(photo)
  }

  // Changes the networks: the photos shown are read again.
  reload(assets, rules) {
    this.#close()
    Object.assign(this, { assets, rules })
    this.#readAgain()
  }

  dispose() {
    this.ended = true
    this.#clear()
    this.#close()
    this.root.replaceChildren()
  }

  #close() {
    this.reader?.then((reader) => reader.close(), () => {})
    this.reader = null
  }

  async #readAgain() {
    const { photos } = this
    this.photos = []
    for (const { file, place, turnedBy, url } of photos) {
      URL.revokeObjectURL(url)
      await this.#readInto(place, file, turnedBy)
    }
  }

  #clear() {
    for (const { url } of this.photos) URL.revokeObjectURL(url)
    this.photos = []
    this.shown.replaceChildren()
  }

  async #add(files) {
    this.choice.value = ""
    this.shown.querySelector(".photos-left")?.remove()
    const room = Math.max(0, this.rules.page.most_photos - this.photos.length - this.waiting)
    if (files.length > room) {
      const left = files.slice(room).map(({ name }) => name)
      const names = left.slice(0, NAMED).join(", ") + (left.length > NAMED ? ` and ${left.length - NAMED} more` : "")
      this.shown.prepend(parent("div", "photos-left", [notice(this.words, new Trouble("many", names), null)]))
    }
    const taken = files.slice(0, room)
    this.waiting += taken.length
    for (const file of taken) {
      const place = element("section", "photo")
      this.shown.prepend(place)
      await this.#readInto(place, file, 0)
      this.waiting -= 1
    }
  }

  async #readInto(place, file, turnedBy) {
    if (this.ended) return
    place.replaceChildren(element("h2", "", file.name), element("p", "quiet", "Reading …"))
    try {
      const photo = { file, place, turnedBy, ...(await this.#read(file, turnedBy)) }
      this.photos.push(photo)
      this.spoken.say(`${file.name}: ${this.#show(photo).map((seen) => caption(seen, this.rules.classes)).join(", ") || "no face"}`)
    } catch (error) {
      const trouble = error instanceof Trouble ? error : new Trouble("worker", error.message)
      if (trouble.kind !== "photo") this.#close()
      if (trouble.kind === "closed") place.remove()
      else place.lastChild.replaceWith(notice(this.words, trouble, this.toServer))
    }
  }

  async #read(file, turnedBy) {
    this.reader ??= openReader(this.script, this.assets, this.rules)
    const reader = await this.reader
    const given = element("img")
    const url = (given.src = URL.createObjectURL(file))
    try {
      await given.decode()
      const megapixels = (given.naturalWidth * given.naturalHeight) / 1e6
      if (megapixels > MOST_MEGAPIXELS) throw new Trouble("photo", `${Math.round(megapixels)} megapixels are more than the ${MOST_MEGAPIXELS} that are read`)
      const image = turnedImage(given, turnedBy)
      const read = await reader.read(await createImageBitmap(image), null, this.settings.judge.both_ways)
      return { url, image, animated: await isAnimation(file), ...read }
    } catch (error) {
      URL.revokeObjectURL(url)
      throw error instanceof Trouble ? error : new Trouble("photo", "The browser cannot open this file")
    }
  }

  #judged({ faces }) {
    const tracks = faces.map((face, i) => ({ identity: i + 1, face, seen: true }))
    return new Judge(this.settings.judge, this.rules.classes).add({ time: 0, unix: Date.now() / 1000, tracks })
  }

  #show(photo) {
    const sample = this.#judged(photo), { predictions } = sample
    const { file, place, image, width, height, turn, animated } = photo
    const picture = element("canvas", "", "", { role: "img", "aria-label": `${file.name}: ${counted(predictions.length)}` })
    const scale = Math.min(1, this.rules.page.preview_px / Math.max(width, height))
    Object.assign(picture, { width: Math.round(width * scale), height: Math.round(height * scale) })
    picture.getContext("2d").drawImage(image, 0, 0, picture.width, picture.height)
    draw(picture, predictions.map((seen) => scaledFace(seen, scale)), this.rules, { mirror: false, landmarks: this.settings.landmarks, numbered: true })
    const count = element("p", "quiet", `${width} × ${height} px · ${counted(predictions.length)}`)
    const cards = predictions.length ? photoCards(predictions, this.rules, (seen) => this.#crop(image, seen)) : element("p", "quiet", "No face found.")
    const csv = () => save(new Blob([toCsv([sample], this.rules.columns)], { type: "text/csv" }), "faces.csv")
    const controls = parent("div", "live-controls", [
      button("PNG", () => picture.toBlob((blob) => save(blob, "annotated.png"))),
      button("CSV", csv),
      Object.assign(button("Turn", () => this.#turn(photo, 90)), { className: "photo-turn", title: "By 90° to the left" }),
      button("Remove", () => this.#remove(photo)),
    ])
    const notes = animated ? [element("p", "quiet", this.rules.notes.animated[Math.min(predictions.length, 1)])] : []
    const advice = turn ? [this.#advice(photo)] : []
    place.replaceChildren(element("h2", "", file.name), count, ...notes, parent("div", "live-columns", [picture, parent("div", "", [...advice, cards, controls])]))
    return predictions
  }

  // That the photo seems turned, with a button that turns it.
  #advice(photo) {
    const { turn } = photo, { notes } = this.rules
    return parent("div", "live-trouble info", [element("p", "", notes.turned[turn]), button(notes.turn[turn], () => this.#turn(photo, turn))])
  }

  async #turn(photo, degrees) {
    const { place, file, turnedBy, url } = photo
    this.photos = this.photos.filter((other) => other !== photo)
    URL.revokeObjectURL(url)
    await this.#readInto(place, file, (turnedBy + degrees) % 360)
    place.querySelector(".photo-turn")?.focus()
  }

  #remove(photo) {
    this.photos = this.photos.filter((other) => other !== photo)
    URL.revokeObjectURL(photo.url)
    photo.place.remove()
  }

  // The network's crop of a face, in colour.
  #crop(image, { face, identity }) {
    const [left, top, right, bottom] = cropOf(face.box, this.rules.framing)
    const canvas = element("canvas", "", "", { role: "img", "aria-label": `Face ${identity}` })
    const { crop_px: side } = this.rules.page
    canvas.width = canvas.height = side
    canvas.getContext("2d").drawImage(image, left, top, right - left, bottom - top, 0, 0, side, side)
    return canvas
  }
}
