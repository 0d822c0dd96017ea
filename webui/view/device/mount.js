// Where Streamlit mounts the live camera or the photos. The component is on the page twice: once with bytes, which hold kernels
// and networks and are sent once a session, and once with settings, which are small and change often.
import { LiveApp } from "./app.js"
import { PhotoApp } from "./photo.js"
import { Trouble } from "./reader.js"

const KEY_BYTES = 32
const WAIT_MS = 30_000
const apps = new WeakMap() // by the element that Streamlit gives; a rerun of the page comes back to the same one
const arrived = new Map() // the newest bytes, by their digest
const waiting = new Set()

const take = (bytes) => {
  const key = Array.from(bytes.subarray(0, KEY_BYTES), (byte) => byte.toString(16).padStart(2, "0")).join("")
  arrived.clear()
  arrived.set(key, bytes.subarray(KEY_BYTES))
  for (const look of waiting) look()
}

// {kernels, models, digests} out of the bytes that `parts` describes: [[name, length], …].
const assetsOf = ({ key, parts, digests }) => async () => {
  const bytes = await new Promise((resolve, reject) => {
    const look = () => arrived.has(key) && (waiting.delete(look), clearTimeout(limit), resolve(arrived.get(key)))
    const limit = setTimeout(() => (waiting.delete(look), reject(new Trouble("download", "they did not come within half a minute"))), WAIT_MS)
    waiting.add(look)
    look()
  })
  let at = 0
  const files = Object.fromEntries(parts.map(([name, length]) => [name, bytes.slice(at, (at += length))]))
  const { plain, relaxed, detector, classifier } = files
  return { kernels: { plain, relaxed }, models: { detector, classifier }, digests }
}

export default function ({ data, parentElement, setTriggerValue }) {
  if (data instanceof Uint8Array) return take(data)
  const { part, settings, rules, words, assets } = data
  let app = apps.get(parentElement)
  if (!app) {
    const root = parentElement.querySelector(".live-device")
    const toServer = () => setTriggerValue("give_up", true)
    const App = part === "live" ? LiveApp : PhotoApp
    app = new App(root, { script: { source: workerSource }, assets: assetsOf(assets), rules, words, settings, toServer })
    apps.set(parentElement, app)
  } else if (app.key !== assets.key) app.reload(assetsOf(assets), rules)
  app.key = assets.key
  app.update(settings)
  return () => {
    // Also called before the next run with other data: only what has left the page is over.
    setTimeout(() => {
      if (parentElement.isConnected || apps.get(parentElement) !== app) return
      apps.delete(parentElement)
      app.dispose()
    })
  }
}
