// The page of an exported folder (fer/web/export.py): live camera and photos, behind any server that hands out files.
import { LiveApp } from "./app.js"
import { element } from "./parts.js"
import { percent } from "./judge.js"
import { PhotoApp } from "./photo.js"
import { Trouble } from "./reader.js"

const by = (id) => document.getElementById(id)
const { rules, words, files, digests, wanted } = JSON.parse(by("given").textContent)

const fetched = async (name) => {
  const answer = await fetch(name)
  if (!answer.ok) throw new Trouble("download", `${name}: ${answer.status} ${answer.statusText}`)
  return new Uint8Array(await answer.arrayBuffer())
}

const load = async () => {
  const names = Object.keys(files)
  const contents = await Promise.all(names.map((name) => fetched(files[name])))
  const { plain, relaxed, detector, classifier } = Object.fromEntries(names.map((name, i) => [name, contents[i]]))
  return { kernels: { plain, relaxed }, models: { detector, classifier }, digests }
}

const settings = () => ({
  mirror: by("mirror").checked,
  landmarks: by("landmarks").checked,
  judge: { ...rules.judge, unsure_below: by("unsure").value / 100, smoothing_s: Number(by("smoothing").value) },
  wanted,
})

const parts = { live: LiveApp, photo: PhotoApp }
const apps = {}

const change = () => {
  by("unsure-said").textContent = percent(by("unsure").value / 100)
  by("smoothing-said").textContent = `${Number(by("smoothing").value).toFixed(2)} s`
  for (const app of Object.values(apps)) app.update(settings())
}

const choose = (chosen) => {
  for (const name of Object.keys(parts)) {
    by(name).hidden = name !== chosen
    by(`tab-${name}`).setAttribute("aria-selected", name === chosen)
    by(`tab-${name}`).tabIndex = name === chosen ? 0 : -1
  }
  document.querySelector("main").dataset.part = chosen
  if (chosen !== "live" && apps.live.camera.on) apps.live.stop()
}

by("unsure").value = Math.round(100 * rules.judge.unsure_below)
by("smoothing").value = rules.judge.smoothing_s
for (const [name, App] of Object.entries(parts)) {
  const root = element("div")
  by(name).append(root)
  apps[name] = new App(root, { script: { address: "worker.js" }, assets: load, rules, words, settings: settings() })
  by(`tab-${name}`).onclick = () => choose(name)
}
// One stop for the keyboard, with arrows between them, as screen readers expect of tabs.
document.querySelector("nav").onkeydown = ({ key }) => {
  if (key !== "ArrowLeft" && key !== "ArrowRight") return
  const other = Object.keys(parts).find((name) => by(name).hidden)
  choose(other)
  by(`tab-${other}`).focus()
}
choose("live")
by("settings").oninput = change
by("settings").onsubmit = (event) => event.preventDefault()
change()

// Where the browser allows none (a private window, plain http), the page works, but not offline.
navigator.serviceWorker?.register("service.js").catch((error) => console.warn(`not kept for offline use: ${error.message}`))
