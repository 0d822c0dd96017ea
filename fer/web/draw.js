// Boxes and captions onto a canvas, as fer/see/draw.py draws them on the server.
import { caption } from "./judge.js"

const CAPITAL = 0.72 // a capital letter's height over the font's size

// predictions: the most prominent first, in pixels of the picture. look: {mirror, landmarks, numbered}.
export const draw = (canvas, predictions, { classes, colors, draw: shapes }, look) => {
  const context = canvas.getContext("2d")
  const { width, height } = canvas
  const thick = Math.max(1, Math.round(Math.max(width, height) / shapes.lines))
  const boxes = predictions.map(({ face: { box: [left, top, right, bottom] } }) => {
    const [from, to] = look.mirror ? [width - right, width - left] : [left, right]
    const within = (value, most) => Math.min(Math.max(value, 0), most)
    return [within(from, width), within(top, height), within(to, width), within(bottom, height)]
  })
  predictions.forEach(({ label, face }, i) => {
    const [left, top, right, bottom] = boxes[i]
    context.strokeStyle = context.fillStyle = colors[label]
    context.lineWidth = thick
    context.strokeRect(left + thick / 2, top + thick / 2, Math.max(0, right - left - thick), Math.max(0, bottom - top - thick))
    for (const [x, y] of look.landmarks ? face.landmarks : []) {
      context.beginPath()
      context.arc(look.mirror ? width - x : x, y, thick + 1, 0, 7)
      context.fill()
    }
  })
  // The first is the most prominent: it is drawn last, so its caption is on top.
  for (let i = predictions.length - 1; i >= 0; i--) {
    const words = caption(predictions[i], classes)
    const text = look.numbered ? `${predictions[i].identity} ${words}` : words
    write(context, boxes[i], text, colors[predictions[i].label], shapes, thick)
  }
}

const write = (context, [left, top, right], text, color, shapes, thick) => {
  const { width, height } = context.canvas
  const longest = Math.max(width, height)
  const [least, most] = [longest / shapes.least_text, longest / shapes.most_text]
  const capital = Math.max(shapes.text_min_px, Math.min(Math.max((right - left) / shapes.text_of_face, least), most))
  context.font = `600 ${Math.round(capital / CAPITAL)}px system-ui, sans-serif`
  const pad = Math.max(2, Math.round(capital / shapes.text_pad)), bar = Math.max(2, 2 * thick)
  const plateWidth = bar + context.measureText(text).width + 2 * pad, plateHeight = 1.4 * capital + 2 * pad
  const x = Math.max(0, Math.min(left, width - plateWidth))
  const y = top >= plateHeight ? top - plateHeight : Math.max(0, Math.min(top, height - plateHeight))
  context.fillStyle = shapes.plate
  context.fillRect(x, y, plateWidth, plateHeight)
  context.fillStyle = color
  context.fillRect(x, y, bar, plateHeight)
  context.fillStyle = shapes.ink
  context.fillText(text, x + bar + pad, y + pad + 1.2 * capital)
}
