// Small pieces that every part of the page is made of.

export const element = (tag, className = "", text = "", attributes = {}) => {
  const made = Object.assign(document.createElement(tag), { className, textContent: text })
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value)
  return made
}

export const parent = (tag, className, children, attributes = {}) => {
  const made = element(tag, className, "", attributes)
  made.append(...children)
  return made
}

export const button = (text, press) => Object.assign(element("button", "", text, { type: "button" }), { onclick: press })

// Read aloud by screen readers, not shown: `say(words)` speaks when the words change, at most once in that many ms.
export const speaker = (leastMs) => {
  const place = element("p", "live-spoken", "", { role: "status" })
  let said = -Infinity
  const say = (words) => {
    if (words === place.textContent || performance.now() - said < leastMs) return
    said = performance.now()
    place.textContent = words
  }
  return { place, say }
}

export const save = (blob, name) => {
  const link = element("a", "", "", { href: URL.createObjectURL(blob), download: name })
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000)
}

// **bold**, *slanted* and `code` as elements: the words are the server's, in its Markdown.
const marked = (text) => text.split(/(\*\*[^*]+\*\*|\*[^*]+\*|`[^`]+`)/).map((part) => {
  if (part.startsWith("**")) return element("b", "", part.slice(2, -2))
  if (part.startsWith("*")) return element("em", "", part.slice(1, -1))
  return part.startsWith("`") ? element("code", "", part.slice(1, -1)) : part
})

// A Trouble in the words for its kind. toServer: what the way out does; null where there is none.
export const notice = (words, { kind, message }, toServer) => {
  const [grave, text] = words[kind]
  const box = parent("div", `live-trouble ${grave}`, [parent("p", "", marked(text.replace("{detail}", message)))], { role: "alert" })
  if (toServer) box.append(button("Read on the server", toServer))
  return box
}
