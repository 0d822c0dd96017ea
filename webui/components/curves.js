// Live curves: new points are added to the charts that stand, so zoom, hover and scroll stay as they are.
// uPlot (MIT, uplot.LICENSE) is put in front of this file by webui/curves.py.
const HEIGHT_PX = 230
const MARK = "#d32f2f"

const percent = (value, digits) => `${+(100 * value).toFixed(digits)} %`
const number = (value, digits) =>
  value !== 0 && Math.abs(value) < 1e-3 ? value.toExponential(Math.min(2, digits - 1)) : `${+value.toPrecision(digits)}`
const words = { percent: (v) => percent(v, 2), number: (v) => number(v, 5) }
const ticks = { percent: (v) => percent(v, 1), number: (v) => number(v, 3) }

const element = (tag, name, text = "") => Object.assign(document.createElement(tag), { className: name, textContent: text })

// One table a run, [x, y, y …]; runs of other lengths leave holes that are drawn over, what is not a number is a gap.
const joined = ({ tables, log }) => {
  const shown = log ? tables.map(([x, ...ys]) => [x, ...ys.map((y) => y.map((v) => (v > 0 ? v : null)))]) : tables
  return shown.length === 1 ? shown[0] : uPlot.join(shown)
}

const isZoomed = (plot) => {
  const x = plot.data[0]
  return x.length > 1 && (plot.scales.x.min > x[0] || plot.scales.x.max < x[x.length - 1])
}

const tooltip = (spec, xTitle) => {
  const tip = element("div", "tip")
  tip.hidden = true
  const valueAt = (values, index) => {
    while (index >= 0 && values[index] === undefined) index -= 1 // this run has no point here: its last one counts
    return values[index]
  }
  const setCursor = (plot) => {
    const { idx, left } = plot.cursor
    tip.hidden = idx == null || left < 0
    if (tip.hidden) return
    const lines = spec.series.flatMap((series, i) => {
      const value = valueAt(plot.data[i + 1], idx)
      if (series.faint || value === undefined) return []
      const line = element("div", "", `${series.label} ${value === null ? "not a number" : words[spec.format](value)}`)
      line.style.color = `color-mix(in srgb, ${series.color} 75%, currentColor)`
      return [line]
    })
    tip.replaceChildren(element("b", "", `${xTitle} ${+plot.data[0][idx].toFixed(2)}`), ...lines)
    const onRight = left < plot.over.clientWidth / 2
    tip.style.left = onRight ? `${left + 14}px` : "auto"
    tip.style.right = onRight ? "auto" : `${plot.over.clientWidth - left + 14}px`
  }
  return { hooks: { init: [(plot) => plot.over.append(tip)], setCursor: [setCursor] } }
}

const drawMarks = (spec) => (plot) => {
  const { ctx, bbox } = plot
  ctx.save()
  Object.assign(ctx, { strokeStyle: MARK, fillStyle: MARK, lineWidth: 2 * devicePixelRatio })
  ctx.font = `${12 * devicePixelRatio}px sans-serif`
  ctx.setLineDash([6 * devicePixelRatio, 4 * devicePixelRatio])
  for (const { x, label } of spec.marks) {
    const at = plot.valToPos(x, "x", true)
    if (at < bbox.left || at > bbox.left + bbox.width) continue
    ctx.beginPath()
    ctx.moveTo(at, bbox.top)
    ctx.lineTo(at, bbox.top + bbox.height)
    ctx.stroke()
    ctx.textAlign = at > bbox.left + bbox.width / 2 ? "right" : "left"
    ctx.fillText(` ${label} `, at, bbox.top + 14 * devicePixelRatio)
  }
  ctx.restore()
}

const options = (spec, xTitle, syncKey, width, color) => ({
  width,
  height: HEIGHT_PX,
  legend: { show: false },
  cursor: { y: false, sync: { key: syncKey, scales: ["x", null] }, drag: { x: true, y: false } },
  scales: { x: { time: false }, y: { distr: spec.log ? 3 : 1 } },
  axes: [
    { stroke: color.text, label: xTitle, labelSize: 18, labelGap: 0, size: 32, labelFont: "12px sans-serif",
      grid: { show: false }, ticks: { stroke: color.line }, incrs: xTitle === "epoch" ? [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000] : undefined },
    { stroke: color.text, size: 62, grid: { stroke: color.line, width: 1 }, ticks: { show: false },
      values: (_, at) => at.map((value) => (value == null ? "" : ticks[spec.format](value))) },
  ],
  series: [{}, ...spec.series.map((series) => ({
    label: series.label,
    stroke: series.faint ? `${series.color}55` : series.color,
    width: series.faint ? 1 : 2.25,
    dash: series.dotted ? [3, 4] : undefined,
    points: { show: (plot) => !series.faint && plot.data[0].length <= 12, size: 6, fill: series.color },
  }))],
  plugins: [tooltip(spec, xTitle)],
  hooks: { draw: [drawMarks(spec)] },
})

const spoken = (spec, data) => {
  const last = spec.series.filter((series) => !series.faint).map((series) => {
    const values = data[spec.series.indexOf(series) + 1].filter((value) => value != null)
    return values.length ? `${series.label} ${words[spec.format](values[values.length - 1])}` : `${series.label} has no value`
  })
  return `${spec.title}. Newest: ${last.join(", ")}`
}

const draw = (figure, spec, xTitle, syncKey, color) => {
  const shape = JSON.stringify([spec.series, spec.log, spec.marks, xTitle, color])
  const data = joined(spec)
  const before = figure.plot
  const zoom = before && figure.xTitle === xTitle && isZoomed(before) ? { min: before.scales.x.min, max: before.scales.x.max } : null
  if (figure.shape !== shape) {
    before?.destroy()
    const place = figure.querySelector(".plot")
    figure.plot = new uPlot(options(spec, xTitle, syncKey, place.clientWidth, color), data, place)
    Object.assign(figure, { shape, xTitle })
  } else {
    figure.plot.setData(data, !zoom)
  }
  if (zoom) figure.plot.setScale("x", zoom)
  figure.querySelector(".plot").setAttribute("aria-label", spoken(spec, data))
}

const makeFigure = (spec) => {
  const figure = element("figure", "")
  const caption = element("figcaption", "", spec.title)
  const place = element("div", "plot")
  place.setAttribute("role", "img")
  figure.append(caption, place)
  new ResizeObserver(() => {
    if (figure.plot && place.clientWidth) figure.plot.setSize({ width: place.clientWidth, height: HEIGHT_PX })
  }).observe(place)
  return figure
}

const captionOf = (figure, spec) => {
  const parts = spec.hint ? [element("small", "", spec.hint)] : []
  for (const series of spec.legend ? spec.series : []) {
    const part = element("small", "")
    const swatch = element("i", "")
    swatch.style.background = series.color
    part.append(swatch, series.label)
    parts.push(part)
  }
  figure.querySelector("figcaption").replaceChildren(spec.title, ...parts)
}

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".curves")
  const style = getComputedStyle(root)
  const color = { text: style.color, line: style.getPropertyValue("--st-border-color").trim() || "#8884" }
  const signature = JSON.stringify([data, color])
  if (root.signature === signature) return
  root.signature = signature
  const standing = new Map([...root.children].map((figure) => [figure.dataset.title, figure]))
  const figures = data.charts.map((spec) => {
    const figure = standing.get(spec.title) ?? makeFigure(spec)
    standing.delete(spec.title)
    figure.dataset.title = spec.title
    captionOf(figure, spec)
    return figure
  })
  for (const gone of standing.values()) {
    gone.plot?.destroy()
    gone.remove()
  }
  if (figures.some((figure, i) => root.children[i] !== figure)) root.replaceChildren(...figures)
  figures.forEach((figure, i) => draw(figure, data.charts[i], data.x_title, data.key, color))
}
