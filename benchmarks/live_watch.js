// Reads the counter of every frame that the camera gives and that comes back, and where a box is drawn.
([bits, block, strip, row, color]) => {
  const watched = (window.watched = { camera: [], back: [] })
  const watch = (video, list, wantsBox) => {
    const canvas = new OffscreenCanvas(16, 1).getContext("2d", { willReadFrequently: true })
    const line = new OffscreenCanvas(640, 4).getContext("2d", { willReadFrequently: true })
    const look = (now) => {
      const w = video.videoWidth, h = video.videoHeight, k = w / 640
      // One pixel from the middle of each block of the counter.
      for (let i = 0; i < 16; i++)
        canvas.drawImage(
          video, (i + 0.4) * block * k, h - strip * k * 0.7, 0.2 * block * k, strip * k * 0.4, i, 0, 1, 1)
      const seen = canvas.getImageData(0, 0, 16, 1).data
      const bit = (i) => (seen[4 * i] > 110 ? 1 : 0)
      let value = 0, ones = 0
      for (let i = 0; i < bits; i++) { value = 2 * value + bit(2 + i); ones += bit(2 + i) }
      const valid = bit(0) === 1 && bit(1) === 0 && bit(2 + bits) === ones % 2
      const entry = [now, valid ? value : -1, w]
      if (wantsBox) {
        line.drawImage(video, 0, (row - 2) * k, w, 4 * k, 0, 0, 640, 4)
        const data = line.getImageData(0, 0, 640, 4).data
        const columns = []
        for (let x = 0; x < 640; x++) {
          let near = 0
          for (let y = 0; y < 4; y++) {
            const at = 4 * (640 * y + x)
            const off = [0, 1, 2].map((i) => Math.abs(data[at + i] - color[i]))
            near += off[0] + off[1] + off[2] < 120
          }
          if (near >= 3) columns.push(x)
        }
        entry.push(columns)
      }
      list.push(entry)
      video.requestVideoFrameCallback(look)
    }
    video.requestVideoFrameCallback(look)
  }
  const own = document.createElement("video")
  own.srcObject = new MediaStream(window.ownCamera.getVideoTracks())
  own.muted = true
  own.play()
  watch(own, watched.camera, false)
  watch(document.querySelector("video"), watched.back, true)
}
