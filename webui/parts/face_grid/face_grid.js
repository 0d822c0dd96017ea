// All faces arrive as one picture; each button shows its part of it and names its face when pressed.

// The grid is one stop of the Tab key; from there the arrow keys, Home and End go from face to face.
const MOVES = {
  ArrowLeft: (index) => index - 1,
  ArrowRight: (index) => index + 1,
  ArrowUp: (index, columns) => index - columns,
  ArrowDown: (index, columns) => index + columns,
  Home: () => 0,
  End: (index, columns, last) => last,
}

const move = (grid, event) => {
  const buttons = [...grid.children]
  const columns = getComputedStyle(grid).gridTemplateColumns.split(" ").length
  const to = MOVES[event.key]?.(buttons.indexOf(event.target.closest("button")), columns, buttons.length - 1)
  if (to === undefined || event.altKey || event.ctrlKey || event.metaKey) return
  event.preventDefault() // the page would scroll
  buttons[to]?.focus()
}

const stopAt = (grid, button) => {
  for (const other of grid.children) other.tabIndex = other === button ? 0 : -1
}

export default function ({ data, parentElement, setTriggerValue }) {
  const grid = parentElement.querySelector(".grid")
  grid.onclick = (event) => {
    const button = event.target.closest("button")
    if (!button) return
    returnFocus(() => grid.querySelector(`button[value="${button.value}"]`))
    setTriggerValue("face", Number(button.value))
  }
  grid.onkeydown = (event) => move(grid, event)
  const signature = JSON.stringify(data)
  if (grid.signature === signature) return
  grid.signature = signature
  grid.style.setProperty("--face", `${data.size_px}px`)
  // One rule for all: the picture's address is 200 KB long, and a style on each element would parse it every time.
  const style = grid.sheet ??= parentElement.appendChild(document.createElement("style"))
  style.textContent = `.picture { background-image: url(${data.sprite}) }`
  grid.setAttribute("aria-label", data.label)
  // background-position in percent: 0 % is the first column or row, 100 % the last.
  const percent = (index, count) => (count > 1 ? (100 * index) / (count - 1) : 0)
  grid.replaceChildren(
    ...data.faces.map(([row, caption, spoken], index) => {
      const button = document.createElement("button")
      button.value = row
      button.type = "button"
      button.tabIndex = index === 0 ? 0 : -1
      button.onfocus = () => stopAt(grid, button)
      button.setAttribute("aria-label", spoken)
      button.title = spoken
      const picture = document.createElement("span")
      picture.className = "picture"
      picture.style.backgroundSize = `${100 * data.columns}% ${100 * data.rows}%`
      const x = percent(index % data.columns, data.columns)
      const y = percent(Math.floor(index / data.columns), data.rows)
      picture.style.backgroundPosition = `${x}% ${y}%`
      const text = document.createElement("span")
      text.className = "caption"
      text.textContent = caption
      button.append(picture, text)
      return button
    }),
  )
}
