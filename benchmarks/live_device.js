// Notes on every frame the film's counter and where the box is that is drawn over it.
([bits, block, strip, row]) => {
  const watched = (window.watched = [])
  const video = document.querySelector(".live-stage video"), overlay = document.querySelector(".live-stage canvas")
  const counter = new OffscreenCanvas(16, 1).getContext("2d", { willReadFrequently: true })
  const line = new OffscreenCanvas(640, 1).getContext("2d", { willReadFrequently: true })
  const look = () => {
    video.requestVideoFrameCallback(look)
    const w = video.videoWidth, h = video.videoHeight, k = w / 640
    for (let i = 0; i < 16; i++)
      counter.drawImage(video, (i + 0.4) * block * k, h - strip * k * 0.7, 0.2 * block * k, strip * k * 0.4, i, 0, 1, 1)
    const seen = counter.getImageData(0, 0, 16, 1).data
    const bit = (i) => (seen[4 * i] > 110 ? 1 : 0)
    let value = 0, ones = 0
    for (let i = 0; i < bits; i++) { value = 2 * value + bit(2 + i); ones += bit(2 + i) }
    const valid = bit(0) === 1 && bit(1) === 0 && bit(2 + bits) === ones % 2
    line.clearRect(0, 0, 640, 1)
    line.drawImage(overlay, 0, row * k, w, 1, 0, 0, 640, 1)
    const { data } = line.getImageData(0, 0, 640, 1)
    const columns = []
    for (let x = 0; x < 640; x++) if (data[4 * x + 3] > 110) columns.push(x)
    watched.push([valid ? value : -1, columns])
  }
  video.requestVideoFrameCallback(look)
}
