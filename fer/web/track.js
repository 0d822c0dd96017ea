// Tracks faces from look to look: fer/see/track.py, line by line, with the same parameters.
// An observation is {box: XYXY, landmarks, score, probabilities}, as Recognizer gives it.

export const widthOf = ({ box }) => box[2] - box[0]

const placeOf = ({ box: [left, top, right, bottom] }) => [(left + right) / 2, (top + bottom) / 2, right - left, bottom - top]

// The face with another box; its landmarks keep their places in it.
const fitted = (face, box) => {
  const xScale = (box[2] - box[0]) / widthOf(face)
  const yScale = (box[3] - box[1]) / (face.box[3] - face.box[1])
  const [x, y] = [box[0] - face.box[0] * xScale, box[1] - face.box[1] * yScale]
  return { ...face, box, landmarks: face.landmarks?.map(([px, py]) => [px * xScale + x, py * yScale + y]) }
}

// A face that the tracker remembers, with a Kalman filter for its box.
class Known {
  constructor(identity, observation, time, settings) {
    Object.assign(this, { identity, observation, settings, lastSeen: time, missed: 0 })
    this.#start(observation)
  }

  #start(observation) {
    this.place = placeOf(observation)
    this.speed = [0, 0, 0, 0]
    // Of place and speed, in squared face widths; all four numbers share it, since all are measured alike.
    this.covariance = [this.settings.jitter ** 2, 0, this.settings.start_speed_per_s ** 2]
  }

  // Where it may be: extrapolated by its motion, and where it was last seen if that is a while ago.
  places(time) {
    const carried = this.expected(time)
    return time - this.lastSeen > this.settings.coast_s ? [carried, this.place] : [carried]
  }

  expected(time) {
    const elapsed = Math.min(time - this.lastSeen, this.settings.coast_s)
    const place = this.place.map((value, i) => value + this.speed[i] * elapsed)
    for (const i of [2, 3]) place[i] = Math.max(place[i], this.place[i] / 2)
    return place
  }

  // [place × place, place × speed, speed × speed] at that time
  expectedCovariance(time) {
    const elapsed = time - this.lastSeen
    const [place, both, speed] = this.covariance
    const push = this.settings.acceleration_per_s2 ** 2
    return [
      place + 2 * elapsed * both + elapsed ** 2 * speed + push * (elapsed ** 2 / 2) ** 2,
      both + elapsed * speed + push * (elapsed ** 2 / 2) * elapsed,
      speed + push * elapsed ** 2,
    ]
  }

  see(observation, time) {
    if (time - this.lastSeen > 2 * this.settings.coast_s) this.#start(observation) // its motion since is unknown
    else this.#move(observation, time)
    Object.assign(this, { observation, lastSeen: time, missed: 0 })
  }

  #move(observation, time) {
    const [place, both, speed] = this.expectedCovariance(time)
    const sum = place + this.settings.jitter ** 2
    const expected = this.expected(time)
    const surprise = placeOf(observation).map((value, i) => value - expected[i])
    this.place = expected.map((value, i) => value + (place / sum) * surprise[i])
    this.speed = this.speed.map((value, i) => value + (both / sum) * surprise[i])
    this.covariance = [place - (place / sum) * place, both - (place / sum) * both, speed - (both / sum) * both]
  }

  // How far from its expected place, in face widths, this face may turn up.
  reach(time) {
    const { coast_s: coast, reach, longest_reach: longest, return_reach: back } = this.settings
    const away = this.missed > 1 && time - this.lastSeen > 2 * coast
    return Math.min(reach + Math.sqrt(this.expectedCovariance(time)[0]), away ? back : longest)
  }

  face(time) {
    const [x, y, width, height] = this.expected(time)
    return fitted(this.observation, [x - width / 2, y - height / 2, x + width / 2, y + height / 2])
  }
}

// Pairs of a known face and a new box, [known, index], each used once: nearest pairs first. A face out of sight steps
// back behind those in sight, the more the longer it was not seen.
const match = (known, observations, time) => {
  const costs = known.map((one) => {
    const places = one.places(time)
    const reach = one.reach(time)
    const away = Math.min((time - one.lastSeen) / Math.max(one.settings.forget_s, 1e-9), 1)
    return observations.map((seen) => {
      const [seenX, seenY, seenWidth] = placeOf(seen)
      const costs = places.map(([x, y, width]) => {
        const distance = Math.hypot(x - seenX, y - seenY) / ((width + seenWidth) / 2)
        const growth = Math.abs(Math.log(seenWidth / width))
        return distance > reach || growth > Math.LN2 ? Infinity : distance + growth
      })
      return Math.min(...costs) + away
    })
  })
  const pairs = []
  for (;;) {
    let best = Infinity, row = -1, column = -1
    costs.forEach((line, i) => line.forEach((cost, j) => cost < best && ([best, row, column] = [cost, i, j])))
    if (best === Infinity) return pairs
    pairs.push([known[row], column])
    costs[row].fill(Infinity)
    for (const line of costs) line[column] = Infinity
  }
}

export class Tracker {
  constructor(settings, count = 0) {
    Object.assign(this, { settings, count, known: [], interval: 0, time: -Infinity })
  }

  // For a stream whose clock restarts from zero; it continues the numbering of identities.
  restarted() {
    return new Tracker(this.settings, this.count)
  }

  // Adds the observations at `time`, in seconds; returns the tracks, widest first: {identity, face, seen}.
  update(observations, time) {
    if (!(time > this.time)) throw new RangeError(`frames must come in order: ${time} s after ${this.time} s`)
    if (this.known.length) this.interval = time - this.time
    this.time = time
    this.known = this.known.filter((one) => !this.#forgotten(one))
    for (const one of this.known) one.missed += 1
    const unmatched = new Set(observations.keys())
    for (const [one, index] of match(this.known, observations, time)) {
      one.see(observations[index], time)
      unmatched.delete(index)
    }
    for (const index of unmatched) this.known.push(new Known((this.count += 1), observations[index], time, this.settings))
    const shown = this.known.filter((one) => this.#lingers(one)).sort((a, b) => b.place[2] - a.place[2])
    return shown.map((one) => ({ identity: one.identity, face: one.face(time), seen: one.missed === 0 }))
  }

  // Where each reported face is at `time`, by identity.
  at(time) {
    return new Map(this.known.filter((one) => this.#lingers(one)).map((one) => [one.identity, one.face(time)]))
  }

  #forgotten(one) {
    return one.missed >= this.settings.forget_looks && this.time - one.lastSeen > this.settings.forget_s
  }

  #lingers(one) {
    const oneLook = 1.5 * this.interval
    const { linger_s: linger, longest_linger_s: longest } = this.settings
    const allowed = oneLook <= longest ? Math.max(linger, oneLook) : linger
    return one.missed === 0 || this.time - one.lastSeen <= allowed
  }
}
