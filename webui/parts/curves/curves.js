// Live curves: new points are added to the existing charts, so zoom, hover and scroll are kept.
const SVG = "http://www.w3.org/2000/svg"
const HEIGHT = 230
const MARGIN = { left: 60, right: 12, top: 10, bottom: 40 }
const DRAG_PX = 6

const percent = (value, digits) => `${+(100 * value).toFixed(digits)} %`
const number = (value, digits) =>
  value !== 0 && Math.abs(value) < 1e-3 ? value.toExponential(Math.min(2, digits - 1)).replace(/\.?0+e/, "e") : `${+value.toPrecision(digits)}`
const words = { percent: (value) => percent(value, 2), number: (value) => number(value, 5) }

// Enough digits to tell neighbouring ticks apart: with three, 1374, 1376 and 1378 would read 1370, 1380 and 1380.
const tickWords = (value, step, format) => {
  const [shown, apart, unit] = format === "percent" ? [100 * value, 100 * step, " %"] : [value, step, ""]
  const place = Math.floor(Math.log10(apart) + 1e-9)
  if (shown === 0 || place > -5) return `${shown.toFixed(Math.max(0, -place))}${unit}`
  return `${shown.toExponential(Math.max(0, Math.floor(Math.log10(Math.abs(shown))) - place))}${unit}`
}

const html = (tag, name, text = "") => Object.assign(document.createElement(tag), { className: name, textContent: text })
const svg = (tag, attributes = {}, text = "") => {
  const element = document.createElementNS(SVG, tag)
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value)
  element.textContent = text
  return element
}

// Lines with their style: one table for each run, [x, y, y …], whose columns follow the series.
const linesOf = ({ tables, series }) => {
  const lines = tables.flatMap(([x, ...ys]) => ys.map((y) => ({ x, y })))
  return lines.map((line, i) => ({ ...line, ...series[i] }))
}

const extent = (values) => values.reduce(([low, high], v) => [Math.min(low, v), Math.max(high, v)], [Infinity, -Infinity])

const xDomain = (root) => {
  if (root.zoom) return root.zoom
  const [low, high] = root.data.x_range ?? extent(root.data.charts.flatMap(({ tables }) => tables.flatMap(([x]) => x)))
  return low < high ? [low, high] : [low - 0.5, low + 0.5]
}

const yDomain = (lines, [from, to], log) => {
  const seen = lines.flatMap(({ x, y }) => y.filter((v, i) => v != null && x[i] >= from && x[i] <= to && (!log || v > 0)))
  let [low, high] = seen.length ? extent(seen) : [log ? 0.1 : 0, 1]
  if (log) return low < high ? [low / 1.1, high * 1.1] : [low / 2, high * 2]
  const pad = (high - low || Math.abs(high) || 1) * 0.06
  return [low - pad, high + pad]
}

// 1, 2 or 5 times a power of ten, about `count` of them.
const evenTicks = (low, high, count, least = 0) => {
  const raw = (high - low) / count
  const power = 10 ** Math.floor(Math.log10(raw))
  const step = Math.max(least, power * [1, 2, 5, 10].find((times) => times * power >= raw))
  const first = Math.ceil(low / step)
  return Array.from({ length: Math.max(0, Math.floor(high / step) - first + 1) }, (_, i) => (first + i) * step)
}
const logTicks = (low, high) => {
  const times = Math.log10(high / low) > 3 ? [1] : [1, 2, 5]
  const powers = Array.from({ length: Math.ceil(Math.log10(high)) - Math.floor(Math.log10(low)) + 1 }, (_, i) => Math.floor(Math.log10(low)) + i)
  return powers.flatMap((power) => times.map((t) => t * 10 ** power)).filter((v) => v >= low && v <= high)
}

const pathOf = ({ x, y }, toX, toY, log) => {
  let open = false
  return x.map((at, i) => {
    if (y[i] == null || (log && y[i] <= 0)) return (open = false), ""
    const part = `${open ? "L" : "M"}${toX(at).toFixed(1)} ${toY(y[i]).toFixed(1)}`
    open = true
    return part
  }).join("")
}

const heightOf = (figure) => figure.spec.height ?? HEIGHT

const scales = (figure, root) => {
  const { spec } = figure
  const lines = linesOf(spec)
  const [from, to] = xDomain(root)
  const [low, high] = yDomain(lines, [from, to], spec.log)
  const right = Math.max(MARGIN.left + 40, figure.place.clientWidth - MARGIN.right)
  const bottom = heightOf(figure) - MARGIN.bottom
  const scale = spec.log ? Math.log10 : (value) => value
  return {
    lines, from, to, low, high, right, bottom,
    toX: (x) => MARGIN.left + ((x - from) / (to - from)) * (right - MARGIN.left),
    fromX: (px) => from + ((px - MARGIN.left) / (right - MARGIN.left)) * (to - from),
    toY: (y) => bottom - ((scale(y) - scale(low)) / (scale(high) - scale(low))) * (bottom - MARGIN.top),
  }
}

const drawAxes = (figure, root, { from, to, low, high, right, bottom, toX, toY }) => {
  const { spec } = figure
  const least = root.data.x_title === "epoch" ? 1 : 0
  const places = spec.log ? logTicks(low, high) : evenTicks(low, high, 7)
  const step = (value) => (spec.log ? value : places[1] - places[0])
  const yTicks = places.flatMap((value) => [
    svg("line", { class: "grid", x1: MARGIN.left, x2: right, y1: toY(value), y2: toY(value) }),
    svg("text", { x: MARGIN.left - 8, y: toY(value) + 4, "text-anchor": "end" }, tickWords(value, step(value), spec.format)),
  ])
  const xTicks = evenTicks(from, to, Math.max(2, (right - MARGIN.left) / 60), least).map((value) =>
    svg("text", { x: toX(value), y: bottom + 16, "text-anchor": "middle" }, `${+value.toPrecision(6)}`))
  const title = svg("text", { x: (MARGIN.left + right) / 2, y: heightOf(figure) - 6, "text-anchor": "middle" }, root.data.x_title)
  return [...yTicks, ...xTicks, title]
}

const drawLines = (figure, { lines, toX, toY }) => lines.flatMap((line) => {
  const { log } = figure.spec
  const style = { class: `line${line.dotted ? " dotted" : ""}${line.faint ? " faint" : ""}`, stroke: line.color }
  const path = svg("path", { ...style, d: pathOf(line, toX, toY, log) })
  const dots = line.faint || (line.x.length > 12 && !line.dots) ? [] : line.x.flatMap((x, i) =>
    line.y[i] == null || (log && line.y[i] <= 0) ? [] : [svg("circle", { cx: toX(x), cy: toY(line.y[i]), r: line.dots?.[i] ?? 3, fill: line.color })])
  return [path, ...dots]
})

const drawMarks = (figure, { toX, right, bottom }) => (figure.spec.marks ?? []).flatMap(({ x, label }) => {
  const onRight = toX(x) > (MARGIN.left + right) / 2
  return [
    svg("line", { class: "mark", x1: toX(x), x2: toX(x), y1: MARGIN.top, y2: bottom }),
    svg("text", { class: "mark", x: toX(x) + (onRight ? -5 : 5), y: MARGIN.top + 12, "text-anchor": onRight ? "end" : "start" }, label),
  ]
})

const spoken = (spec, lines) => {
  const last = lines.filter((line) => !line.faint).map((line) => {
    const values = line.y.filter((value) => value != null)
    return `${line.label} ${values.length ? words[spec.format](values[values.length - 1]) : "has no value"}`
  })
  return `${spec.title}. Newest: ${last.join(", ")}`
}

const draw = (figure, root) => {
  if (!figure.place.clientWidth) return
  const at = scales(figure, root)
  figure.scales = at
  figure.picture.setAttribute("viewBox", `0 0 ${figure.place.clientWidth} ${heightOf(figure)}`)
  figure.picture.setAttribute("height", heightOf(figure))
  figure.clip.replaceChildren(svg("rect", { x: MARGIN.left - 4, y: 0, width: at.right - MARGIN.left + 8, height: at.bottom + 4 }))
  figure.axes.replaceChildren(...drawAxes(figure, root, at))
  figure.content.replaceChildren(...drawLines(figure, at), ...drawMarks(figure, at))
  figure.picture.setAttribute("aria-label", figure.spec.spoken ?? spoken(figure.spec, at.lines))
  Object.assign(figure.dataset, { points: figure.spec.tables[0][0].length, from: at.from, to: at.to })
  hover(figure, root)
}

const nearest = (x, wanted) => x.reduce((best, value, i) => (Math.abs(value - wanted) < Math.abs(x[best] - wanted) ? i : best), 0)

const hover = (figure, root) => {
  const { tip, cross, scales: at, spec } = figure
  tip.hidden = root.hover == null
  cross.style.display = tip.hidden ? "none" : ""
  if (tip.hidden) return
  const all = at.lines.map((line) => line.x[nearest(line.x, root.hover)])
  const x = all[nearest(all, root.hover)]
  const there = at.lines.filter((line) => !line.faint && x >= line.x[0] && x <= line.x[line.x.length - 1])
  const lines = there.map((line) => {
    const i = nearest(line.x, x)
    const [value, note] = [line.y[i], line.notes ? `, ${line.notes[i]}` : ""]
    const row = html("div", "", `${line.label} ${value == null ? "not a number" : words[spec.format](value)}${note}`)
    row.style.color = `color-mix(in srgb, ${line.color} 75%, currentColor)`
    return row
  })
  tip.replaceChildren(html("b", "", `${root.data.x_title} ${+x.toFixed(2)}`), ...lines)
  const px = at.toX(x)
  for (const end of ["x1", "x2"]) cross.setAttribute(end, px)
  cross.setAttribute("y2", at.bottom)
  const onRight = px < (MARGIN.left + at.right) / 2
  Object.assign(tip.style, { left: onRight ? `${px + 12}px` : "auto", right: onRight ? "auto" : `${figure.place.clientWidth - px + 12}px` })
}

const redraw = (root) => {
  for (const figure of root.list.children) draw(figure, root)
  root.whole.hidden = !root.zoom
}

// Dragging chooses a stretch of the horizontal axis for all charts; a finger that moves up or down scrolls the page.
const listen = (figure, root) => {
  const { picture, band } = figure
  const pxOf = (event) => Math.min(figure.scales.right, Math.max(MARGIN.left, event.clientX - picture.getBoundingClientRect().left))
  let start = null
  const end = () => {
    start = null
    band.setAttribute("width", 0)
  }
  picture.onpointerdown = (event) => {
    start = pxOf(event)
    picture.setPointerCapture(event.pointerId)
  }
  picture.onpointermove = (event) => {
    const px = pxOf(event)
    root.hover = figure.scales.fromX(px)
    for (const other of root.list.children) hover(other, root)
    if (start == null) return
    band.setAttribute("x", Math.min(start, px))
    band.setAttribute("width", Math.abs(px - start))
    band.setAttribute("height", figure.scales.bottom - MARGIN.top)
  }
  picture.onpointerup = (event) => {
    const px = pxOf(event)
    const stretch = start == null ? [] : [figure.scales.fromX(Math.min(start, px)), figure.scales.fromX(Math.max(start, px))]
    if (start != null && Math.abs(px - start) > DRAG_PX) root.zoom = stretch
    end()
    redraw(root)
  }
  picture.onpointercancel = end
  picture.onpointerleave = () => {
    root.hover = null
    for (const other of root.list.children) hover(other, root)
  }
  picture.ondblclick = () => {
    root.zoom = null
    redraw(root)
  }
}

let clips = 0
const makeFigure = (root) => {
  const figure = html("figure", "")
  const id = `curves-clip-${(clips += 1)}`
  figure.place = html("div", "plot")
  figure.picture = svg("svg", { role: "img", width: "100%" })
  figure.clip = svg("clipPath", { id })
  figure.axes = svg("g", { class: "axes" })
  figure.content = svg("g", { "clip-path": `url(#${id})` })
  figure.cross = svg("line", { class: "cross", y1: MARGIN.top })
  figure.band = svg("rect", { class: "band", y: MARGIN.top, width: 0, height: 0 })
  figure.tip = html("div", "tip")
  figure.picture.append(figure.clip, figure.axes, figure.content, figure.cross, figure.band)
  figure.place.append(figure.picture, figure.tip)
  figure.append(html("figcaption", ""), figure.place)
  listen(figure, root)
  figure.sizes = new ResizeObserver(() => figure.spec && draw(figure, root))
  figure.sizes.observe(figure.place)
  return figure
}

const captionOf = (spec) => {
  const legend = (spec.legend ? spec.series : []).map((series) => {
    const part = html("small", "")
    const swatch = html("i", "")
    swatch.style.background = series.dotted ? `repeating-linear-gradient(90deg, ${series.color} 0 2px, transparent 2px 4px)` : series.color
    part.append(swatch, series.label)
    return part
  })
  return [spec.title, ...(spec.hint ? [html("small", "", spec.hint)] : []), ...legend]
}

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".curves")
  const signature = JSON.stringify(data)
  if (root.signature === signature) return
  if (root.data?.x_title !== data.x_title) root.zoom = null
  root.list = root.querySelector(".list")
  root.whole = root.querySelector("button")
  root.whole.onclick = () => {
    root.zoom = null
    redraw(root)
  }
  Object.assign(root, { signature, data })
  const standing = new Map([...root.list.children].map((figure) => [figure.dataset.title, figure]))
  const figures = data.charts.map((spec) => {
    const figure = standing.get(spec.title) ?? makeFigure(root)
    standing.delete(spec.title)
    figure.spec = spec
    figure.dataset.title = spec.title
    figure.querySelector("figcaption").replaceChildren(...captionOf(spec))
    return figure
  })
  for (const gone of standing.values()) gone.sizes.disconnect()
  if (figures.length !== root.list.children.length || figures.some((figure, i) => root.list.children[i] !== figure))
    root.list.replaceChildren(...figures)
  redraw(root)
}
