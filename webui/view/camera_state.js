// What only the browser knows: whether this page may use a camera, whether there is one, what failed.
const EVERY_MS = 700

// streamlit-webrtc shows a camera's error inside its own frame and tells Python only "stopped".
const streamer = () => {
  try {
    return document.querySelector('iframe[title^="streamlit_webrtc"]')?.contentDocument
  } catch {
    return undefined
  }
}

const look = async (stopWord) => {
  const media = navigator.mediaDevices
  let permission = "unknown"
  let cameras = -1
  try {
    permission = (await navigator.permissions.query({ name: "camera" })).state
  } catch {}
  try {
    cameras = (await media.enumerateDevices()).filter((device) => device.kind === "videoinput").length
  } catch {}
  const frame = streamer()
  const started = [...(frame?.querySelectorAll("button") ?? [])].some((b) => b.textContent.trim() === stopWord)
  return {
    secure: window.isSecureContext && Boolean(media?.getUserMedia),
    permission,
    cameras,
    started,
    error: frame?.querySelector(".MuiAlert-colorError")?.textContent ?? "",
  }
}

export default function ({ data, parentElement, setStateValue }) {
  // The component runs again after every rerun of the page; the timer and the last message must outlive that.
  const memory = (parentElement.cameraState ??= { said: "" })
  clearInterval(memory.timer)
  const tell = async () => {
    const state = await look(data.stop)
    const said = JSON.stringify(state)
    if (said === memory.said) return
    memory.said = said
    setStateValue("state", state)
  }
  memory.timer = setInterval(tell, EVERY_MS)
  tell()
  return () => clearInterval(memory.timer)
}
