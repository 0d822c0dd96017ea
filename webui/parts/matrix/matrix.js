// A real table whose cells are buttons: keys, screen readers and fingers work as anywhere. It is one stop of the Tab key;
// arrows, Home and End move within it (https://www.w3.org/WAI/ARIA/apg/patterns/grid).
const hexToRgb = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16))
const mix = (from, to, share) => from.map((value, i) => Math.round(value + (to[i] - value) * share))
// Relative luminance, WCAG 2.2.
const luminance = (rgb) => {
  const [r, g, b] = rgb.map((value) => {
    const part = value / 255
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
  })
  return 0.2126 * r + 0.7152 * g + 0.0722 * b
}
const readable = (rgb) => (luminance(rgb) > 0.179 ? "#000" : "#fff")

const cell = (tag, text, attributes = {}) => {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value)
  const inner = document.createElement("span")
  inner.textContent = text
  element.append(inner)
  return element
}

const MOVES = {
  ArrowLeft: ([row, column]) => [row, column - 1],
  ArrowRight: ([row, column]) => [row, column + 1],
  ArrowUp: ([row, column]) => [row - 1, column],
  ArrowDown: ([row, column]) => [row + 1, column],
  Home: ([row]) => [row, 0],
  End: ([row], last) => [row, last],
}

// The one cell that the Tab key reaches.
const stop = (table, button) => {
  for (const other of table.querySelectorAll("button")) other.tabIndex = other === button ? 0 : -1
}

const move = (table, event, last) => {
  const at = event.target.closest("button")?.value.split(",").map(Number)
  if (!at || !MOVES[event.key]) return
  event.preventDefault()
  const [row, column] = MOVES[event.key](at, last).map((place) => Math.min(last, Math.max(0, place)))
  const next = table.querySelector(`button[value="${row},${column}"]`)
  stop(table, next)
  next.focus()
}

export default function ({ data, parentElement, setTriggerValue }) {
  const table = parentElement.querySelector("table")
  table.onkeydown = (event) => move(table, event, data.classes.length - 1)
  table.onclick = (event) => {
    const button = event.target.closest("button")
    if (!button) return
    stop(table, button)
    setTriggerValue("cell", button.value.split(",").map(Number))
  }
  const background = getComputedStyle(table).getPropertyValue("--st-background-color").trim()
  const signature = JSON.stringify([data, background])
  if (table.signature === signature) return
  const before = table.querySelector('button[tabindex="0"]')?.value ?? data.selected?.join(",") ?? "0,0"
  const focused = parentElement.activeElement?.value
  table.signature = signature
  const ground = hexToRgb(/^#[0-9a-f]{6}$/i.test(background) ? background : "#ffffff")
  const dark = luminance(ground) < 0.2
  const more = hexToRgb(dark ? "#56b4e9" : "#005a8c")
  const less = hexToRgb(dark ? "#f0a35e" : "#b34700")

  const head = document.createElement("tr")
  const corner = cell("td", "true ↓\nnamed →", { class: "corner" })
  head.append(corner, ...data.classes.map((name) => cell("th", name, { scope: "col" })))
  const body = data.classes.map((name, row) => {
    const line = document.createElement("tr")
    line.append(cell("th", name, { scope: "row" }))
    data.texts[row].forEach((text, column) => {
      const shade = data.shades[row][column] // -1..1
      const color = mix(ground, shade < 0 ? less : more, Math.abs(shade))
      const button = cell("button", text, {
        type: "button",
        value: `${row},${column}`,
        "aria-label": data.spoken[row][column],
        "aria-pressed": String(data.selected?.[0] === row && data.selected?.[1] === column),
        title: data.spoken[row][column],
      })
      button.style.background = `rgb(${color.join(" ")})`
      button.style.color = readable(color)
      const place = document.createElement("td")
      place.append(button)
      line.append(place)
    })
    return line
  })
  const title = document.createElement("caption")
  title.textContent = data.title
  table.replaceChildren(title, head, ...body)
  stop(table, table.querySelector(`button[value="${before}"]`))
  if (focused) parentElement.querySelector(`button[value="${focused}"]`)?.focus()
}
