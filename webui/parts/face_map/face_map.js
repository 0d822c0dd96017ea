// All points lie in one WebGL buffer; moving and zooming only change two uniforms, so nothing is sent and
// nothing is laid out again. Where a browser has no WebGL, the same points are drawn on a 2D canvas.
const VERTEX = `
  attribute vec2 place;
  attribute float kind;
  uniform vec2 scale, offset;
  uniform float size, dark;
  uniform vec4 palette[8];
  varying vec4 color;
  void main() {
    color = palette[int(kind + 0.5)];
    gl_Position = color.a > 0.0 ? vec4(place * scale + offset, 0.0, 1.0) : vec4(9.0, 9.0, 9.0, 1.0);
    gl_PointSize = size;
  }`
const FRAGMENT = `
  precision mediump float;
  varying vec4 color;
  void main() {
    if (distance(gl_PointCoord, vec2(0.5)) > 0.5) discard;
    gl_FragColor = vec4(color.rgb * color.a, color.a);
  }`

const decode = (text, Kind) => new Kind(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer)
const rgb = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16) / 255)

// Gives draw(view, hidden): view is {x, y, zoom}, the centre in 0..1 and points a side.
const webgl = (canvas, x, y, kinds, colors) => {
  const gl = canvas.getContext("webgl", { antialias: false, premultipliedAlpha: true })
  if (!gl) return null
  const program = gl.createProgram()
  for (const [type, source] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
    const shader = gl.createShader(type)
    gl.shaderSource(shader, source)
    gl.compileShader(shader)
    gl.attachShader(program, shader)
  }
  gl.linkProgram(program)
  if (!gl.getProgramParameter(program, gl.LINK_STATUS)) return null
  gl.useProgram(program)
  const points = new Float32Array(3 * x.length)
  x.forEach((value, i) => points.set([value / 65535, y[i] / 65535, kinds[i]], 3 * i))
  gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer())
  gl.bufferData(gl.ARRAY_BUFFER, points, gl.STATIC_DRAW)
  const attribute = (name, count, offset) => {
    const at = gl.getAttribLocation(program, name)
    gl.enableVertexAttribArray(at)
    gl.vertexAttribPointer(at, count, gl.FLOAT, false, 12, offset)
  }
  attribute("place", 2, 0)
  attribute("kind", 1, 8)
  gl.enable(gl.BLEND)
  gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA)
  const uniform = (name) => gl.getUniformLocation(program, name)
  const [scale, offset, size, palette] = ["scale", "offset", "size", "palette"].map(uniform)
  return (view, hidden, side) => {
    gl.viewport(0, 0, canvas.width, canvas.height)
    gl.clear(gl.COLOR_BUFFER_BIT)
    const [sx, sy] = [(2 * side) / canvas.width, (2 * side) / canvas.height]
    gl.uniform2f(scale, sx, sy)
    gl.uniform2f(offset, -view.x * sx, -view.y * sy)
    gl.uniform1f(size, pointSize(view) * devicePixelRatio)
    gl.uniform4fv(palette, colors.flatMap((c, i) => [...rgb(c), hidden.has(i) ? 0 : 0.8]))
    gl.drawArrays(gl.POINTS, 0, x.length)
  }
}
const plain = (canvas, x, y, kinds, colors) => {
  const context = canvas.getContext("2d")
  return (view, hidden, side) => {
    context.clearRect(0, 0, canvas.width, canvas.height)
    const size = pointSize(view) * devicePixelRatio
    const [left, top] = [canvas.width / 2 - view.x * side, canvas.height / 2 + view.y * side]
    colors.forEach((color, kind) => {
      if (hidden.has(kind)) return
      context.fillStyle = color
      for (let i = 0; i < x.length; i++)
        if (kinds[i] === kind)
          context.fillRect(left + (x[i] / 65535) * side, top - (y[i] / 65535) * side, size, size)
    })
  }
}
const pointSize = (view) => Math.min(9, 2.2 * Math.sqrt(view.zoom))

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".map")
  root.tell = setTriggerValue
  const signature = `${data.title}${data.names}${data.x.length}${data.kinds.slice(0, 4000)}`
  if (root.signature === signature) return
  root.signature = signature
  root.innerHTML = `<div class="title"></div><div class="bar"></div><div class="bar kinds"></div>
    <div class="field" tabindex="0"><canvas></canvas><svg><polygon points=""></polygon></svg></div>`
  root.querySelector(".title").textContent = data.title
  const [tools, kindBar] = root.querySelectorAll(".bar")
  const field = root.querySelector(".field")
  field.setAttribute("role", "application")
  field.setAttribute("aria-label", `${data.title}. Plus and minus zoom, arrows move.`)
  const canvas = root.querySelector("canvas")
  const polygon = root.querySelector("polygon")
  const [x, y] = [decode(data.x, Uint16Array), decode(data.y, Uint16Array)]
  const [kinds, rows] = [decode(data.kinds, Uint8Array), decode(data.rows, Int32Array)]
  const colors = [...data.colors, ...Array(8).fill("#000000")].slice(0, 8)
  const hidden = new Set()
  const home = { x: 0.5, y: 0.5, zoom: 1 }
  let view = { ...home }
  let lassoing = false
  let lasso = []
  const draw = webgl(canvas, x, y, kinds, colors) ?? plain(canvas, x, y, kinds, colors)
  root.dataset.drawn = canvas.getContext("webgl") ? "webgl" : "2d"

  const side = () => 0.96 * Math.min(canvas.width, canvas.height) * view.zoom // device pixels
  const toData = (event) => {
    const box = field.getBoundingClientRect()
    const scale = side() / devicePixelRatio
    return [
      view.x + (event.clientX - box.left - box.width / 2) / scale,
      view.y - (event.clientY - box.top - box.height / 2) / scale,
    ]
  }
  const paint = () => {
    draw(view, hidden, side())
    root.dataset.zoom = view.zoom.toFixed(2)
    const scale = side() / devicePixelRatio
    const [w, h] = [field.clientWidth / 2, field.clientHeight / 2]
    const corners = lasso.map(([px, py]) => `${w + (px - view.x) * scale},${h - (py - view.y) * scale}`)
    polygon.setAttribute("points", corners.join(" "))
  }
  let queued = false
  const repaint = () => {
    if (queued) return
    queued = true
    requestAnimationFrame(() => {
      queued = false
      paint()
    })
  }
  const zoom = (factor, at = [view.x, view.y]) => {
    const next = Math.min(200, Math.max(0.5, view.zoom * factor))
    const share = view.zoom / next
    view = { x: at[0] + (view.x - at[0]) * share, y: at[1] + (view.y - at[1]) * share, zoom: next }
    repaint()
  }
  const tool = (text, label, act, mode) => {
    const button = document.createElement("button")
    button.type = "button"
    button.textContent = text
    button.setAttribute("aria-label", label)
    if (mode !== undefined) {
      button.className = "mode"
      button.setAttribute("aria-pressed", String(mode === lassoing))
    }
    button.onclick = act
    tools.append(button)
    return button
  }
  const setMode = (on) => {
    lassoing = on
    field.classList.toggle("lasso", on)
    move.setAttribute("aria-pressed", String(!on))
    catcher.setAttribute("aria-pressed", String(on))
  }
  const move = tool("Move", "Move the map by dragging it", () => setMode(false), false)
  const catcher = tool("Lasso", "Lasso: draw around points to see their faces", () => setMode(true), true)
  tool("+", "Zoom in", () => zoom(1.6))
  tool("−", "Zoom out", () => zoom(1 / 1.6))
  tool("Whole map", "Show the whole map", () => {
    view = { ...home }
    repaint()
  })
  data.names.forEach((name, kind) => {
    const button = document.createElement("button")
    button.type = "button"
    button.setAttribute("aria-pressed", "true")
    button.title = `Hide or show ${name}`
    const dot = document.createElement("span")
    dot.className = "dot"
    dot.style.background = colors[kind]
    button.append(dot, name)
    button.onclick = () => {
      if (!hidden.delete(kind)) hidden.add(kind)
      button.setAttribute("aria-pressed", String(!hidden.has(kind)))
      repaint()
    }
    kindBar.append(button)
  })

  const nearest = (event) => {
    const [px, py] = toData(event)
    let [best, at] = [(12 / (side() / devicePixelRatio)) ** 2, -1]
    for (let i = 0; i < x.length; i++) {
      const away = (x[i] / 65535 - px) ** 2 + (y[i] / 65535 - py) ** 2
      if (away < best && !hidden.has(kinds[i])) [best, at] = [away, i]
    }
    return at
  }
  let from = null
  // Two fingers zoom about the point between them; one moves the map or draws.
  const fingers = new Map()
  let span = 0
  const spread = () => {
    const [a, b] = [...fingers.values()]
    const middle = { clientX: (a.clientX + b.clientX) / 2, clientY: (a.clientY + b.clientY) / 2 }
    return [Math.max(1, Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY)), middle]
  }
  const pinch = () => {
    const [now, middle] = spread()
    zoom(now / span, toData(middle))
    span = now
  }
  field.onpointerdown = (event) => {
    field.setPointerCapture(event.pointerId)
    fingers.set(event.pointerId, event)
    if (fingers.size > 1) {
      from = null
      lasso = []
      span = spread()[0]
      return
    }
    from = { event, view: { ...view }, moved: false }
    if (lassoing) lasso = [toData(event)]
  }
  field.onpointermove = (event) => {
    if (fingers.has(event.pointerId)) fingers.set(event.pointerId, event)
    if (fingers.size > 1) pinch()
    if (!from) return
    const [dx, dy] = [event.clientX - from.event.clientX, event.clientY - from.event.clientY]
    if (Math.hypot(dx, dy) > 4) from.moved = true
    if (lassoing) lasso.push(toData(event))
    else {
      const scale = side() / devicePixelRatio
      view = { ...view, x: from.view.x - dx / scale, y: from.view.y + dy / scale }
    }
    repaint()
  }
  field.onpointerup = (event) => {
    fingers.delete(event.pointerId)
    if (!from) return
    const pressed = !from.moved
    from = null
    if (pressed) {
      lasso = []
      const at = nearest(event)
      if (at >= 0) {
        returnFocus(() => field)
        root.tell("face", rows[at])
      }
    } else if (lassoing && lasso.length > 2) {
      const step = Math.ceil(lasso.length / 200)
      const corners = lasso.filter((_, i) => i % step === 0).map((p) => p.map((v) => Math.round(v * 65535)))
      root.tell("lasso", { corners, hidden: [...hidden] })
    }
    repaint()
  }
  field.onpointercancel = (event) => {
    fingers.delete(event.pointerId)
    from = null
  }
  // The wheel scrolls the page until the map has been pressed once.
  field.addEventListener("wheel", (event) => {
    if (parentElement.activeElement !== field && document.activeElement !== field) return
    event.preventDefault()
    zoom(Math.exp(-event.deltaY / 400), toData(event))
  }, { passive: false })
  field.onkeydown = (event) => {
    const step = 0.1 / view.zoom
    const acts = {
      "+": () => zoom(1.3),
      "-": () => zoom(1 / 1.3),
      ArrowLeft: () => (view.x -= step),
      ArrowRight: () => (view.x += step),
      ArrowUp: () => (view.y += step),
      ArrowDown: () => (view.y -= step),
    }
    if (!acts[event.key]) return
    event.preventDefault()
    acts[event.key]()
    repaint()
  }
  const observer = new ResizeObserver(() => {
    canvas.width = field.clientWidth * devicePixelRatio
    canvas.height = field.clientHeight * devicePixelRatio
    paint()
  })
  observer.observe(field)
  return () => observer.disconnect()
}
