// The looks, unpacked (webui/view/player/__init__.py), and the faces at any moment.
const bytesOf = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0))

const unpack = ({ times, first, ids, boxes, labels, shares }, end) => ({
  end,
  times: new Float32Array(bytesOf(times).buffer),
  first: new Uint32Array(bytesOf(first).buffer),
  ids: new Uint16Array(bytesOf(ids).buffer),
  boxes: new Int16Array(bytesOf(boxes).buffer),
  labels: bytesOf(labels),
  shares: bytesOf(shares),
})

// The last look at or before a time; -1 before the first.
const lookAt = (looks, time) => {
  let low = 0
  let high = looks.times.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (looks.times[middle] <= time + 1e-3) low = middle + 1
    else high = middle
  }
  return low - 1
}

const untilOf = (looks, look) => (look + 1 < looks.times.length ? looks.times[look + 1] : looks.end)

const faceIn = (looks, look, id) => {
  for (let face = looks.first[look]; face < looks.first[look + 1]; face += 1) if (looks.ids[face] === id) return face
  return -1
}

// The faces of a moment: boxes go straight from look to look, as fer/see/videodraw.py has it.
const facesAt = (looks, time) => {
  const look = Math.max(lookAt(looks, time), 0)
  if (!looks.times.length) return []
  const next = Math.min(look + 1, looks.times.length - 1)
  const span = looks.times[next] - looks.times[look]
  const share = span > 0 ? Math.min(Math.max((time - looks.times[look]) / span, 0), 1) : 0
  const faces = []
  for (let face = looks.first[look]; face < looks.first[look + 1]; face += 1) {
    const later = faceIn(looks, next, looks.ids[face])
    const box = [0, 1, 2, 3].map((side) => {
      const here = looks.boxes[4 * face + side]
      return later < 0 ? here : here + (looks.boxes[4 * later + side] - here) * share
    })
    faces.push({ id: looks.ids[face], label: looks.labels[face], face, box })
  }
  return faces
}

// Stretches of one label of a person: [from, to, label].
const spansOf = (looks, id) => {
  const spans = []
  for (let look = 0; look < looks.times.length; look += 1) {
    const face = faceIn(looks, look, id)
    if (face < 0) continue
    const last = spans.at(-1)
    const until = untilOf(looks, look)
    if (last && last[2] === looks.labels[face] && looks.times[look] - last[1] < 1e-3) last[1] = until
    else spans.push([looks.times[look], until, looks.labels[face]])
  }
  return spans
}

// 'happy 93 %', or 'unsure (sad 34 %)': a figure is always that of its class, as fer/see/caption.py has it.
const captionOf = (view, face) => {
  const { looks, data } = view
  const shares = looks.shares.subarray(7 * face, 7 * face + 7)
  const unsure = looks.labels[face] === 7
  const closest = unsure ? shares.indexOf(Math.max(...shares)) : looks.labels[face]
  const share = shares[closest] / 255
  const percent = Math.round(100 * share)
  const figure = share > 0 && percent === 0 ? "<1" : share < 1 && percent === 100 ? ">99" : `${percent}`
  const named = `${data.labels[closest]} ${figure}\u00a0%`
  return unsure ? `unsure (${named})` : named
}

const clockOf = (time) => {
  const tenths = Math.max(0, Math.round(10 * time))
  return `${Math.floor(tenths / 600)}:${String(Math.floor(tenths / 10) % 60).padStart(2, "0")}.${tenths % 10}`
}
