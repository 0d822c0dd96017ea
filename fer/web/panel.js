// Cards, timeline and figures in the page, in the same HTML as webui/view/{face_card,live_view}.py.
import { caption, percent, UNSURE } from "./judge.js"
import { element, parent } from "./parts.js"
import { labelSeconds, labelSpans } from "./timeline.js"
import { widthOf } from "./track.js"

const clock = (seconds) => {
  const whole = Math.round(seconds)
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`
}

const bars = (probabilities, { classes, colors, emoji }) => {
  const most = Math.max(...probabilities)
  const rows = classes.flatMap((name, i) => {
    const best = probabilities[i] === most ? " best" : ""
    const fill = element("span", "fill")
    Object.assign(fill.style, { width: `${(100 * probabilities[i]).toFixed(1)}%`, background: colors[name] })
    const title = parent("dt", `name${best}`, [element("span", "", emoji[name], { "aria-hidden": "true" }), ` ${name}`])
    return [title, parent("dd", "track", [fill], { "aria-hidden": "true" }), element("dd", `value${best}`, percent(probabilities[i]))]
  })
  return parent("dl", "bars", rows)
}

// picture: of the face, or null.
const card = (seen, rules, picture) => {
  const sign = element("span", "", rules.emoji[seen.label], { "aria-hidden": "true" })
  const who = picture ? [] : [element("b", "who", String(seen.identity))]
  const verdict = parent("div", "verdict", [...who, parent("span", "", [sign, ` ${caption(seen, rules.classes)}`])])
  const words = parent("div", "", [verdict, bars(seen.probabilities, rules)])
  const figure = picture ? [parent("figure", "", [picture, element("figcaption", "", String(seen.identity))])] : []
  const made = parent("li", picture ? "face" : "face plain", [...figure, words])
  made.style.setProperty("--class-color", rules.colors[seen.label])
  return made
}

// A card for each face of a photo, in their order. pictureOf(prediction): an element.
export const photoCards = (predictions, rules, pictureOf) =>
  parent("ul", "faces", predictions.map((seen) => card(seen, rules, pictureOf(seen))))

// A card for each face: the widest rules.page.most_rows, in order of identity.
export const cards = (predictions, rules) => {
  if (!predictions.length) return [parent("div", "empty live-empty", [element("p", "", "No face in the picture now.")])]
  const widest = [...predictions].sort((a, b) => widthOf(b.face) - widthOf(a.face)).slice(0, rules.page.most_rows)
  const list = parent("ul", "faces", widest.sort((a, b) => a.identity - b.identity).map((seen) => card(seen, rules, null)))
  const left = predictions.length - rules.page.most_rows
  return left > 0 ? [list, element("p", "quiet", `and ${left} more`)] : [list]
}

// A strip for each face, coloured by its label, the newest at the right. span: seconds up to now; null: a whole recording.
export const strips = (samples, span, rules) => {
  if (!samples.length) return []
  const end = samples.at(-1).time
  const length = span ?? Math.max(end - samples[0].time, 1)
  const newest = [...labelSpans(samples, rules.timeline)].sort(([, a], [, b]) => b.at(-1)[1] - a.at(-1)[1]).slice(0, rules.page.most_rows)
  const rows = newest.sort(([a], [b]) => a - b).map(([identity, spans]) => {
    const pieces = spans.map(([from, until, label]) => {
      const [left, right] = [from, until].map((time) => Math.max(0, ((time - end + length) / length) * 100))
      const piece = element("i", "", "", { title: label })
      Object.assign(piece.style, { left: `${left.toFixed(2)}%`, width: `${(right - left).toFixed(2)}%`, background: rules.colors[label] })
      return piece
    })
    return parent("div", "live-strip", [element("b", "", String(identity)), parent("div", "", pieces)])
  })
  const ends = span === null ? [clock(0), clock(length)] : [`${span} s ago`, "now"]
  const axis = parent("div", "live-axis", ends.map((text) => element("span", "", text)))
  return [parent("div", "live-timeline", [...rows, axis], { role: "img", "aria-label": `Labels over ${Math.round(length)} seconds` })]
}

export const legend = ({ classes, colors }) =>
  parent("ul", "live-legend", [...classes, UNSURE].map((name) => {
    const swatch = element("i", "")
    swatch.style.background = colors[name]
    return parent("li", "", [swatch, name])
  }))

// One line: frames a second received and analysed, the delay from the camera to the box, the picture's size.
export const figures = ({ framesPerS, looksPerS, delayMs, width, height, look }) => {
  const items = [
    ["in", `${Math.round(framesPerS)}/s`, "Frames that the camera gave"],
    ["analysed", `${Math.round(looksPerS)}/s`, `Frames in which faces were looked for, at ${look} px; the rest were dropped`],
    ["delay", delayMs === null ? "–" : `${Math.round(delayMs)} ms`, "From the camera's frame to its faces being known; the picture itself does not wait"],
    ["size", width ? `${width} × ${height}` : "–", "Width and height of the picture in pixels"],
  ]
  return parent("dl", "live-figures", items.map(([name, value, hint]) =>
    parent("div", "", [element("dt", "", name), element("dd", "", value)], { title: hint })))
}

// For each face of a recording: seconds seen, and the share of that time under each label.
export const shares = (samples, { classes, timeline }) => {
  const names = [...classes, UNSURE]
  const head = parent("tr", "", ["face", "seen", ...names].map((name) => element("th", "", name, { scope: "col" })))
  const rows = [...labelSeconds(samples, timeline)].sort(([a], [b]) => a - b).map(([identity, labels]) => {
    const total = Object.values(labels).reduce((sum, seconds) => sum + seconds, 0)
    const cells = names.map((name) => (total ? percent((labels[name] ?? 0) / total) : "–"))
    return parent("tr", "", [String(identity), `${total.toFixed(1)} s`, ...cells].map((text) => element("td", "", text)))
  })
  return parent("div", "live-shares", [parent("table", "", [head, ...rows])], { role: "region", "aria-label": "Shares of time", tabindex: "0" })
}
