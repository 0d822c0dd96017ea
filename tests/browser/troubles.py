"""Troubles that a fake camera cannot have: scripts that are put into the page before its own."""

KEEP_CAMERA = """(() => {
  const media = navigator.mediaDevices, open = media?.getUserMedia?.bind(media)
  if (open) media.getUserMedia = async (wanted) => (window.camera = await open(wanted))
})()"""
UNPLUG = """() => {
  for (const track of window.camera.getTracks()) { track.stop(); track.dispatchEvent(new Event("ended")) }
}"""
BUSY = """navigator.mediaDevices.getUserMedia = async () => {
  throw new DOMException("Could not start video source", "NotReadableError")
}"""
