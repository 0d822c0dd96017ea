// Photos read in the page: a picture with boxes and a card for each face. Nothing leaves the browser.
import { draw } from "./draw.js"
import { caption, Judge } from "./judge.js"
import { photoCards } from "./panel.js"
import { button, element, notice, parent, save, speaker } from "./parts.js"
import { cropOf } from "./picture.js"
import { openReader, Trouble } from "./reader.js"
import { toCsv } from "./timeline.js"

const MOST_PHOTOS = 40
const MOST_MEGAPIXELS = 40 // 160 MB of pixels, held twice

const scaledFace = (seen, scale) => ({
  ...seen,
  face: { ...seen.face, box: seen.face.box.map((value) => value * scale), landmarks: seen.face.landmarks.map((point) => point.map((value) => value * scale)) },
})

export class PhotoApp {
  // As for LiveApp; settings: {judge, landmarks}.
  constructor(root, { script, assets, rules, words, settings, toServer = null }) {
    Object.assign(this, { root, script, assets, rules, words, settings, toServer, photos: [] })
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
    this.#clear()
    this.#close()
    this.root.replaceChildren()
  }

  #close() {
    this.reader?.then((reader) => reader.close(), () => {})
    this.reader = null
  }

  #readAgain() {
    const files = this.photos.map(({ file }) => file)
    this.#clear()
    if (files.length) this.#add(files)
  }

  #clear() {
    for (const { image } of this.photos) URL.revokeObjectURL(image.src)
    this.photos = []
    this.shown.replaceChildren()
  }

  async #add(files) {
    this.choice.value = ""
    for (const file of files.slice(0, Math.max(0, MOST_PHOTOS - this.photos.length))) {
      const place = element("section", "photo")
      place.append(element("h2", "", file.name), element("p", "quiet", "Reading …"))
      this.shown.prepend(place)
      try {
        const photo = { file, place, ...(await this.#read(file)) }
        this.photos.push(photo)
        this.spoken.say(`${file.name}: ${this.#show(photo).map((seen) => caption(seen, this.rules.classes)).join(", ") || "no face"}`)
      } catch (error) {
        const trouble = error instanceof Trouble ? error : new Trouble("worker", error.message)
        if (trouble.kind !== "photo") this.#close()
        if (trouble.kind === "closed") place.remove()
        else place.lastChild.replaceWith(notice(this.words, trouble, this.toServer))
      }
    }
  }

  async #read(file) {
    this.reader ??= openReader(this.script, this.assets, this.rules)
    const reader = await this.reader
    const image = element("img")
    image.src = URL.createObjectURL(file)
    try {
      await image.decode()
      const megapixels = (image.naturalWidth * image.naturalHeight) / 1e6
      if (megapixels > MOST_MEGAPIXELS) throw new Trouble("photo", `${Math.round(megapixels)} megapixels are more than the ${MOST_MEGAPIXELS} that are read`)
      const { faces, width, height } = await reader.read(await createImageBitmap(image), null, this.settings.judge.both_ways)
      return { image, faces, width, height }
    } catch (error) {
      URL.revokeObjectURL(image.src)
      throw error instanceof Trouble ? error : new Trouble("photo", "The browser cannot open this file")
    }
  }

  #judged({ faces }) {
    const tracks = faces.map((face, i) => ({ identity: i + 1, face, seen: true }))
    return new Judge(this.settings.judge, this.rules.classes).add({ time: 0, unix: Date.now() / 1000, tracks })
  }

  #show(photo) {
    const sample = this.#judged(photo), { predictions } = sample
    const { file, place, image, width, height } = photo
    const picture = element("canvas", "", "", { role: "img", "aria-label": `${file.name}: ${predictions.length} faces` })
    const scale = Math.min(1, this.rules.page.preview_px / Math.max(width, height))
    Object.assign(picture, { width: Math.round(width * scale), height: Math.round(height * scale) })
    picture.getContext("2d").drawImage(image, 0, 0, picture.width, picture.height)
    draw(picture, predictions.map((seen) => scaledFace(seen, scale)), this.rules, { mirror: false, landmarks: this.settings.landmarks, numbered: true })
    const count = element("p", "quiet", `${width} × ${height} px · ${predictions.length} face${predictions.length === 1 ? "" : "s"}`)
    const cards = predictions.length ? photoCards(predictions, this.rules, (seen) => this.#crop(image, seen)) : element("p", "quiet", "No face found.")
    const csv = () => save(new Blob([toCsv([sample], this.rules.columns)], { type: "text/csv" }), "faces.csv")
    const controls = parent("div", "live-controls", [
      button("PNG", () => picture.toBlob((blob) => save(blob, "annotated.png"))),
      button("CSV", csv),
      button("Remove", () => this.#remove(photo)),
    ])
    place.replaceChildren(element("h2", "", file.name), count, parent("div", "live-columns", [picture, parent("div", "", [cards, controls])]))
    return predictions
  }

  #remove(photo) {
    this.photos = this.photos.filter((other) => other !== photo)
    URL.revokeObjectURL(photo.image.src)
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
