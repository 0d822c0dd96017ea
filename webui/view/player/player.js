// One clock for picture, boxes and lanes. What changes the result goes to Python as {do: …}.
const part = (view, name) => view.root.querySelector(name)

const timeOf = (view) => (view.video.readyState > 0 ? view.video.currentTime : view.time)

const seek = (view, time) => {
  view.time = Math.min(Math.max(time, view.data.start), view.data.end)
  if (view.video.readyState > 0) view.video.currentTime = view.time
  show(view)
}

const step = (view, by) => {
  view.video.pause()
  const { times } = view.looks
  const at = lookAt(view.looks, timeOf(view))
  if (times.length) seek(view, times[Math.min(Math.max(at + by, 0), times.length - 1)] + 2e-3)
}

const paintBoxes = (view) => {
  const { brush, width, height } = paintable(part(view, ".boxes"))
  const [wide, high] = view.data.size
  const scale = Math.min(width / wide, height / high)
  const x = (width - wide * scale) / 2
  const y = (height - high * scale) / 2
  brush.font = "600 13px sans-serif"
  brush.textBaseline = "middle"
  for (const { id, label, face, box } of facesAt(view.looks, timeOf(view))) {
    const [left, top, right, bottom] = [x + box[0] * scale, y + box[1] * scale, x + box[2] * scale, y + box[3] * scale]
    brush.strokeStyle = view.data.colors[label]
    brush.lineWidth = 3
    brush.strokeRect(left, top, right - left, bottom - top)
    const name = view.data.people.find((person) => person.id === id)?.name ?? ""
    const words = `${name}: ${captionOf(view, face)}`
    const plate = brush.measureText(words).width + 12
    const edge = Math.min(Math.max(left, 0), Math.max(width - plate, 0))
    const line = top >= 24 ? top - 24 : Math.min(top + 3, height - 22)
    brush.fillStyle = "#1c1c1ce0"
    brush.fillRect(edge, line, plate, 22)
    brush.fillStyle = view.data.colors[label]
    brush.fillRect(edge, line, 4, 22)
    brush.fillStyle = "#f5f5f5"
    brush.fillText(words, edge + 8, line + 12)
  }
}

const show = (view) => {
  const time = timeOf(view)
  paintBoxes(view)
  part(view, ".now").textContent = `${clockOf(time)} / ${clockOf(view.data.end)}`
  const names = "var(--names)"
  part(view, ".head").style.left = `calc(${names} + (100% - ${names}) * ${Math.min(Math.max(placeOf(view, time), 0), 1)})`
  view.root.dataset.time = time.toFixed(3)
  for (const { track, id } of view.lanes) {
    const said = facesAt(view.looks, time).find((face) => face.id === (id || view.chosen))
    track.setAttribute("aria-valuenow", time.toFixed(1))
    track.setAttribute("aria-valuetext", `${clockOf(time)}${said ? `, ${captionOf(view, said.face)}` : ""}`)
  }
}

const showPart = (view) => {
  const [from, to] = view.data.part ?? [view.data.start, view.data.end]
  const names = "var(--names)"
  const share = (time) => Math.min(Math.max(placeOf(view, time), 0), 1)
  Object.assign(part(view, ".before").style, { left: names, width: `calc((100% - ${names}) * ${share(from)})` })
  Object.assign(part(view, ".after").style, { right: "0", width: `calc((100% - ${names}) * ${1 - share(to)})` })
  part(view, "[data-do=whole]").hidden = !view.data.part
}

const act = (view, what) => view.tell("act", { ...what, at: Date.now() })

const setPart = (view, end) => {
  const [from, to] = view.data.part ?? [view.data.start, view.data.end]
  const time = timeOf(view)
  const next = end === "in" ? [time, to > time ? to : view.data.end] : [from < time ? from : view.data.start, time]
  if (next[1] <= next[0]) return
  view.data = { ...view.data, part: next } // the other end may be set before the answer to this one arrives
  showPart(view)
  act(view, { do: "part", part: next })
}

const ask = (view, title, fields, buttons) => {
  const menu = part(view, ".menu")
  const form = make("form", "")
  form.method = "dialog"
  form.append(make("b", "", title), ...fields)
  const row = make("div", "row")
  for (const [words, done] of [...buttons, ["Cancel", null]]) {
    const button = make("button", "", words)
    button.type = done && words === buttons[0][0] ? "submit" : "button"
    button.onclick = (event) => {
      event.preventDefault()
      menu.close()
      done?.()
      view.root.focus({ preventScroll: true })
    }
    row.append(button)
  }
  form.append(row)
  menu.replaceChildren(form)
  menu.showModal()
}

const field = (words, control) => {
  const label = make("label", "", words)
  label.append(control)
  return label
}

const askPerson = (view, id) => {
  const { people } = view.data
  const person = people.find((one) => one.id === id)
  const others = people.filter((one) => one.id !== id)
  const name = Object.assign(make("input", ""), { value: person.name, maxLength: 60 })
  const other = make("select", "")
  other.append(...others.map((one) => Object.assign(make("option", "", one.name), { value: one.id })))
  const fields = [field("Name", name), ...(others.length ? [field("Is the same person as", other)] : [])]
  ask(view, person.name, fields, [
    ["Save name", () => act(view, { do: "name", id, name: name.value })],
    ...(others.length ? [["Merge", () => act(view, { do: "merge", id, into: Number(other.value) })]] : []),
    [`Someone else from ${clockOf(timeOf(view))}`, () => act(view, { do: "split", id, time: timeOf(view) })],
    ["Hide", () => act(view, { do: "hide", id })],
  ])
  name.select()
}

const askMark = (view) => {
  view.video.pause()
  const [from, to] = view.data.part ?? [timeOf(view), timeOf(view)]
  const note = Object.assign(make("input", ""), { maxLength: 200 })
  const title = `Mark ${clockOf(from)}${to > from ? `–${clockOf(to)}` : ""}`
  ask(view, title, [field("Note", note)], [["Save mark", () => act(view, { do: "mark", from, to, note: note.value })]])
  note.focus()
}

const DEEDS = {
  back: (view) => step(view, -1),
  on: (view) => step(view, 1),
  play: (view) => (view.video.paused ? view.video.play().catch(() => {}) : view.video.pause()),
  in: (view) => setPart(view, "in"),
  out: (view) => setPart(view, "out"),
  whole: (view) => act(view, { do: "part", part: null }),
  mark: askMark,
  show: (view) => act(view, { do: "show" }),
  full: (view) => (document.fullscreenElement ? document.exitFullscreen() : part(view, ".stage").requestFullscreen?.()),
}
const KEYS = { " ": "play", ArrowLeft: "back", ArrowRight: "on", "[": "in", "]": "out", m: "mark", M: "mark" }

const press = (view, event) => {
  const target = event.composedPath()[0]
  const busy = /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName) || target.isContentEditable
  const deed = KEYS[event.key]
  if (busy || !deed || event.ctrlKey || event.metaKey || event.altKey || part(view, ".menu").open) return
  if (target.tagName === "BUTTON" && event.key === " ") return
  event.preventDefault()
  event.stopPropagation()
  DEEDS[deed](view)
}

const listen = (view) => {
  const { root, video } = view
  root.addEventListener("keydown", (event) => press(view, event), true)
  root.addEventListener("click", (event) => {
    const button = event.target.closest("button")
    if (button?.dataset.do) DEEDS[button.dataset.do](view)
    else if (button?.dataset.person) {
      const id = Number(button.dataset.person)
      if (view.chosen === id) askPerson(view, id)
      else {
        view.chosen = id
        paintLanes(view)
        show(view)
      }
    } else if (button?.dataset.to) seek(view, Number(button.dataset.to))
    else if (button?.dataset.unmark) act(view, { do: "unmark", mark: Number(button.dataset.unmark) })
  })
  const board = part(view, ".board")
  board.addEventListener("pointerdown", (event) => {
    if (!event.target.matches(".track")) return
    event.target.setPointerCapture(event.pointerId)
    view.dragged = true
    seek(view, timeUnder(view, event))
  })
  board.addEventListener("pointermove", (event) => {
    if (view.dragged) seek(view, timeUnder(view, event))
    hover(view, event)
  })
  for (const name of ["pointerup", "pointercancel"]) board.addEventListener(name, () => (view.dragged = false))
  board.addEventListener("pointerleave", () => (part(view, ".tip").hidden = true))
  for (const name of ["timeupdate", "seeked", "loadedmetadata", "pause"]) video.addEventListener(name, () => show(view))
  const loop = () => {
    if (video.paused || video.ended || !root.isConnected) return
    show(view)
    requestAnimationFrame(loop)
  }
  video.addEventListener("play", loop)
  video.addEventListener("error", () => {
    part(view, ".note").textContent = "This browser does not play the file as it is: a copy that it plays is being made."
    part(view, ".note").hidden = false
    act(view, { do: "unplayable" })
  })
  new ResizeObserver(() => {
    paintLanes(view)
    show(view)
  }).observe(root)
}

const hover = (view, event) => {
  const lane = view.lanes.find((one) => one.track === event.target)
  const tip = part(view, ".tip")
  tip.hidden = !lane
  if (!lane) return
  const time = timeUnder(view, event)
  const id = lane.id || view.chosen
  const said = facesAt(view.looks, time).find((face) => face.id === id)
  tip.textContent = `${clockOf(time)}${said ? ` · ${captionOf(view, said.face)}` : ""}`
  const board = part(view, ".board").getBoundingClientRect()
  const half = tip.offsetWidth / 2
  tip.style.left = `${Math.min(Math.max(event.clientX - board.left, half), board.width - half)}px`
  tip.style.top = `${event.target.getBoundingClientRect().top - board.top}px`
}

const markRow = ([from, to, note], index) => {
  const row = make("li", "")
  const time = make("button", "", `${clockOf(from)}${to > from ? `–${clockOf(to)}` : ""}`)
  time.dataset.to = from
  const gone = make("button", "", "×")
  gone.dataset.unmark = index
  gone.setAttribute("aria-label", `Remove the mark at ${clockOf(from)}`)
  row.append(time, make("em", "", note), gone)
  return row
}

const fill = (view) => {
  const { data, root } = view
  view.looks = unpack(data.looks, data.end)
  if (!data.people.some((person) => person.id === view.chosen)) view.chosen = data.people[0]?.id ?? 0
  part(view, ".stage").style.setProperty("--ratio", data.size[0] / data.size[1])
  if (view.url !== data.url) {
    view.time = timeOf(view)
    const playing = !view.video.paused
    view.url = data.url
    part(view, ".note").hidden = true
    view.video.src = data.url
    // A click before the file was loaded has moved `time`: the picture follows.
    view.video.addEventListener("loadedmetadata", () => view.time > 0 && seek(view, view.time), { once: true })
    if (playing) view.video.play().catch(() => {})
  }
  const focused = root.getRootNode().activeElement
  const lane = view.lanes.findIndex(({ row }) => row.contains(focused))
  const onTrack = focused?.matches?.(".track")
  view.lanes = makeLanes(view)
  part(view, ".lanes").replaceChildren(...view.lanes.map((lane) => lane.row))
  part(view, ".legend").replaceChildren(
    ...data.labels.map((label, index) => {
      const item = make("li", "")
      const swatch = make("i", "")
      swatch.style.background = data.colors[index]
      item.append(swatch, label)
      return item
    }),
  )
  part(view, ".marks").replaceChildren(...data.marks.map(markRow))
  // Redrawing would lose the keyboard focus.
  const again = view.lanes[lane]?.row.querySelector(onTrack ? ".track" : "button")
  if (lane >= 0) (again ?? root).focus({ preventScroll: true })
  const hidden = root.querySelector("[data-do=show]")
  hidden.hidden = !data.hidden
  hidden.textContent = `Show ${data.hidden} hidden`
  paintLanes(view)
  showPart(view)
  show(view)
  if (data.seek !== view.sought && data.seek !== null) seek(view, data.seek + 2e-3)
  view.sought = data.seek
}

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".player")
  if (!root.view) {
    root.view = { root, video: root.querySelector("video"), time: data.start, lanes: [] }
    root.view.data = data
    root.view.looks = unpack(data.looks, data.end)
    listen(root.view)
  }
  root.view.tell = setTriggerValue
  const signature = JSON.stringify(data)
  if (root.view.signature === signature) return
  Object.assign(root.view, { signature, data })
  fill(root.view)
}
