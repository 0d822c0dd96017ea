// Boxes and captions onto a canvas, as fer/see/draw.py draws them on the server.
import { caption } from "./judge.js"

const PLATE = "rgb(28 28 28)", INK = "rgb(245 245 245)"
const CAPITAL = 0.72 // a capital letter's height over the font's size

// predictions: the most prominent first, in pixels of the picture. look: {classes, colors, mirror, landmarks, numbered}.
export const draw = (canvas, predictions, look) => {
  const context = canvas.getContext("2d")
  const { width, height } = canvas
  const thick = Math.max(1, Math.round(Math.max(width, height) / 300))
  const boxes = predictions.map(({ face: { box: [left, top, right, bottom] } }) => {
    const [from, to] = look.mirror ? [width - right, width - left] : [left, right]
    const within = (value, most) => Math.min(Math.max(value, 0), most)
    return [within(from, width), within(top, height), within(to, width), within(bottom, height)]
  })
  predictions.forEach(({ label, face }, i) => {
    const [left, top, right, bottom] = boxes[i]
    context.strokeStyle = context.fillStyle = look.colors[label]
    context.lineWidth = thick
    context.strokeRect(left + thick / 2, top + thick / 2, Math.max(0, right - left - thick), Math.max(0, bottom - top - thick))
    for (const [x, y] of look.landmarks ? face.landmarks : []) {
      context.beginPath()
      context.arc(look.mirror ? width - x : x, y, thick + 1, 0, 7)
      context.fill()
    }
  })
  // The first is the most prominent: it is drawn last, so its caption is on top.
  for (let i = predictions.length - 1; i >= 0; i--) write(context, boxes[i], predictions[i], look, thick)
}

const write = (context, [left, top, right], prediction, look, thick) => {
  const { width, height } = context.canvas
  const longest = Math.max(width, height)
  const capital = Math.max(9, Math.min(Math.max((right - left) / 8, longest / 90), longest / 45))
  const words = caption(prediction, look.classes)
  const text = look.numbered ? `${prediction.identity} ${words}` : words
  context.font = `600 ${Math.round(capital / CAPITAL)}px system-ui, sans-serif`
  const pad = Math.max(2, Math.round(capital / 3)), bar = Math.max(2, 2 * thick)
  const plateWidth = bar + context.measureText(text).width + 2 * pad, plateHeight = 1.4 * capital + 2 * pad
  const x = Math.max(0, Math.min(left, width - plateWidth))
  const y = top >= plateHeight ? top - plateHeight : Math.max(0, Math.min(top, height - plateHeight))
  context.fillStyle = PLATE
  context.fillRect(x, y, plateWidth, plateHeight)
  context.fillStyle = look.colors[prediction.label]
  context.fillRect(x, y, bar, plateHeight)
  context.fillStyle = INK
  context.fillText(text, x + bar + pad, y + pad + 1.2 * capital)
}
