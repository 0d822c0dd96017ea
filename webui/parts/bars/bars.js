// Rows of bars; clickable parts are buttons, so keyboard, screen readers and touch work as usual.
const STRIPES = "repeating-linear-gradient(135deg, #0006 0 2px, transparent 2px 7px)"
const DOTS = "radial-gradient(#000a 1.2px, transparent 1.6px) 0 0 / 6px 6px"
const paints = {
  "": (color) => color,
  stripes: (color) => `${STRIPES}, ${color}`,
  dots: (color) => `${DOTS}, ${color}`,
}

const element = (tag, name, text = "") =>
  Object.assign(document.createElement(tag), { className: name, textContent: text })

const partOf = (data, row, series) => {
  const [, color, pattern] = data.series[series]
  const part = element(data.pressable ? "button" : "div", "part")
  part.style.background = paints[pattern](color)
  part.style.width = `${data.lengths[row][series]}%`
  part.title = data.spoken[row][series]
  part.setAttribute("aria-label", data.spoken[row][series])
  if (!data.pressable) {
    part.setAttribute("role", "img")
    return part
  }
  part.type = "button"
  part.value = `${row},${series}`
  const pressed = data.selected?.[0] === row && data.selected?.[1] === series
  part.setAttribute("aria-pressed", String(pressed))
  return part
}

const rowOf = (data, row) => {
  const parts = data.series.map((_, series) => partOf(data, row, series))
  const filled = parts.filter((_, series) => data.lengths[row][series] > 0)
  const groups = data.stacked ? [filled] : parts.map((part) => [part])
  const tracks = element("div", "tracks")
  for (const group of groups) {
    const track = element("div", "track")
    track.append(...group)
    tracks.append(track)
  }
  const ends = element("div", "ends")
  ends.append(...data.ends[row].map((text) => element("div", "", text)))
  return [element("div", "name", data.names[row]), tracks, ends]
}

const legendOf = (data) => {
  const legend = element("div", "legend")
  for (const [name, color, pattern] of data.series) {
    const part = element("span", "")
    const swatch = element("i", "")
    swatch.style.background = paints[pattern](color)
    part.append(swatch, name)
    legend.append(part)
  }
  return legend
}

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".bars")
  root.onclick = (event) => {
    const button = event.target.closest("button")
    if (button) setTriggerValue("part", button.value.split(",").map(Number))
  }
  const signature = JSON.stringify(data)
  if (root.signature === signature) return
  root.signature = signature
  const focused = parentElement.activeElement?.value
  root.classList.toggle("grouped", !data.stacked)
  const rows = element("div", "rows")
  rows.append(...data.names.flatMap((_, row) => rowOf(data, row)))
  const legend = data.series.length > 1 ? [legendOf(data)] : []
  root.replaceChildren(element("figcaption", "", data.title), ...legend, rows)
  if (focused) parentElement.querySelector(`button[value="${focused}"]`)?.focus()
}
