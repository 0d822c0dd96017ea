// Lanes below the picture: marks, a band for each person, the stacked probabilities of the chosen one.
const make = (tag, name, words = "") => Object.assign(document.createElement(tag), { className: name, textContent: words })

const paintable = (canvas) => {
  const scale = window.devicePixelRatio || 1
  const { width, height } = canvas.getBoundingClientRect()
  canvas.width = Math.max(1, Math.round(width * scale))
  canvas.height = Math.max(1, Math.round(height * scale))
  const brush = canvas.getContext("2d")
  brush.setTransform(scale, 0, 0, scale, 0, 0)
  return { brush, width, height }
}

const placeOf = (view, time) => (time - view.data.start) / Math.max(view.data.end - view.data.start, 1e-3)

const paintBand = (view, lane) => {
  const { brush, width, height } = paintable(lane.track)
  for (const [from, to, label] of lane.spans) {
    brush.fillStyle = view.data.colors[label]
    const left = placeOf(view, from) * width
    brush.fillRect(left, 0, Math.max(placeOf(view, to) * width - left, 1), height)
  }
}

const paintChart = (view, lane) => {
  const { brush, width, height } = paintable(lane.track)
  const { looks, data } = view
  const sums = Array.from({ length: Math.ceil(width) }, () => [new Float64Array(7), 0])
  for (let look = 0; look < looks.times.length; look += 1) {
    const face = faceIn(looks, look, view.chosen)
    if (face < 0) continue
    const from = Math.floor(placeOf(view, looks.times[look]) * width)
    const to = Math.max(Math.floor(placeOf(view, untilOf(looks, look)) * width), from + 1)
    for (let column = Math.max(from, 0); column < Math.min(to, sums.length); column += 1) {
      for (let index = 0; index < 7; index += 1) sums[column][0][index] += looks.shares[7 * face + index]
      sums[column][1] += 1
    }
  }
  sums.forEach(([shares, count], column) => {
    const total = shares.reduce((sum, share) => sum + share, 0)
    if (!count || !total) return
    let top = height
    shares.forEach((share, index) => {
      const part = (share / total) * height
      brush.fillStyle = data.colors[index]
      brush.fillRect(column, top - part, 1, part + 0.5)
      top -= part
    })
  })
}

const paintMarks = (view, lane) => {
  const { brush, width, height } = paintable(lane.track)
  brush.fillStyle = getComputedStyle(lane.track).color
  for (const [from, to] of view.data.marks) {
    const left = placeOf(view, from) * width
    brush.fillRect(left - 1, 2, Math.max(placeOf(view, to) * width - left, 3), height - 4)
  }
}

const trackOf = (view, words) => {
  const track = make("canvas", "track")
  track.tabIndex = 0
  track.setAttribute("role", "slider")
  track.setAttribute("aria-label", words)
  track.setAttribute("aria-valuemin", view.data.start)
  track.setAttribute("aria-valuemax", view.data.end)
  return track
}

const makeLanes = (view) => {
  const lanes = view.data.people.map((person) => {
    const row = make("div", "lane")
    const button = make("button", "")
    button.type = "button"
    button.dataset.person = person.id
    button.title = `${person.name}: name, merge, split or hide`
    button.setAttribute("aria-label", person.name)
    if (person.portrait) button.append(Object.assign(make("img", ""), { src: person.portrait, alt: "" }))
    button.append(make("span", "", person.name))
    const track = trackOf(view, `${person.name} over time`)
    row.append(button, track)
    return { row, track, id: person.id, spans: spansOf(view.looks, person.id), paint: paintBand }
  })
  if (view.data.people.length) {
    const row = make("div", "lane chart")
    const track = trackOf(view, "Probabilities over time")
    row.append(make("div", "what"), track)
    lanes.push({ row, track, id: 0, paint: paintChart })
  }
  if (view.data.marks.length) {
    const row = make("div", "lane notes")
    const track = trackOf(view, "Marks over time")
    row.append(make("div", "what", "Marks"), track)
    lanes.push({ row, track, id: 0, paint: paintMarks })
  }
  return lanes
}

const paintLanes = (view) => {
  const name = view.data.people.find((person) => person.id === view.chosen)?.name ?? ""
  for (const lane of view.lanes) {
    if (lane.paint === paintChart) lane.row.querySelector(".what").textContent = `Probabilities of ${name}`
    lane.row.querySelector("button")?.setAttribute("aria-pressed", String(lane.id === view.chosen))
    lane.paint(view, lane)
  }
}

const timeUnder = (view, event) => {
  const { left, width } = view.lanes[0].track.getBoundingClientRect()
  const share = Math.min(Math.max((event.clientX - left) / width, 0), 1)
  return view.data.start + share * (view.data.end - view.data.start)
}
