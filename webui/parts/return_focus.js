// When a dialog is closed, restores the focus to the element that opened it: Streamlit does not.
const returnFocus = (place) => {
  let opened = false
  const watch = new MutationObserver(() => {
    const open = document.querySelector('[role="dialog"]') !== null
    if (open) opened = true
    else if (opened) {
      watch.disconnect()
      // Streamlit's own handling of the closed dialog comes first.
      setTimeout(() => document.activeElement === document.body && place()?.focus(), 50)
    }
  })
  watch.observe(document.body, { childList: true, subtree: true })
  setTimeout(() => opened || watch.disconnect(), 10_000) // no dialog came
}
