// From observed probabilities to labels: fer/see/judge.py and caption.py, with the same parameters.
import { roundEven } from "./numbers.js"
import { unreadable } from "./quality.js"

export const UNSURE = "unsure"

// settings: {unsure_below, smoothing_s, hysteresis, faded, limits}, as JudgeSettings has them.
export class Judge {
  constructor(settings, classes) {
    Object.assign(this, { settings, classes, said: new Map() })
  }

  // The next look, {time, tracks}, judged: {time, unix, predictions: [{identity, face, seen, probabilities, label, unreadable}]}.
  add(look) {
    const said = new Map(look.tracks.map((track) => [track.identity, this.#say(track, look.time)]))
    // An identity that is out of sight is remembered until its last look has faded.
    const memory = -this.settings.smoothing_s * Math.log(this.settings.faded)
    for (const [identity, last] of this.said)
      if (!said.has(identity) && look.time - last.time <= memory) said.set(identity, last)
    this.said = said
    const predictions = look.tracks.map(({ identity, face, seen }) => {
      const { shares, label, reason } = said.get(identity)
      return { identity, face, seen, label, unreadable: reason, probabilities: Float32Array.from(shares) }
    })
    return { time: look.time, unix: look.unix, predictions }
  }

  #say(track, time) {
    const last = this.said.get(track.identity)
    const { smoothing_s: smoothing, faded, limits } = this.settings
    if (last && !track.seen) return last
    const reason = unreadable(track.face.quality, limits, last?.reason)
    const said = (shares, before) => ({ time, shares, label: reason ? UNSURE : this.#label(before, shares), reason })
    const raw = Array.from(track.face.probabilities)
    const keep = last && smoothing > 0 ? Math.exp(-Math.max(time - last.time, 0) / smoothing) : 0
    if (!last || keep < faded) return said(raw, null)
    return said(raw.map((now, i) => keep * last.shares[i] + (1 - keep) * now), last.label)
  }

  // The label after `previous`, changed only if the probabilities are clear enough.
  #label(previous, shares) {
    const { unsure_below: threshold, hysteresis } = this.settings
    const confidence = Math.max(...shares)
    const best = this.classes[shares.indexOf(confidence)]
    if (previous === null) return confidence >= threshold ? best : UNSURE
    if (previous === UNSURE) return confidence >= Math.min(threshold + hysteresis / 2, 1) ? best : UNSURE
    const held = shares[this.classes.indexOf(previous)]
    if (confidence - held <= hysteresis && held >= threshold - hysteresis / 2) return previous
    return confidence >= threshold ? best : UNSURE
  }
}

// '93 %'; '<1 %' for what is small but not nothing, '>99 %' for what is large but not all.
export const percent = (share) => {
  const whole = roundEven(100 * share)
  if (share > 0 && whole === 0) return "<1\u00a0%"
  if (share < 1 && whole === 100) return ">99\u00a0%"
  return `${whole}\u00a0%`
}

// 'happy 93 %', 'unsure (sad 34 %)', which names the closest class, or 'unsure: turned away' of what cannot be read.
export const caption = ({ label, probabilities, unreadable: reason }, classes) => {
  if (reason) return `${UNSURE}: ${reason}`
  const closest = label === UNSURE ? probabilities.indexOf(Math.max(...probabilities)) : classes.indexOf(label)
  const named = `${classes[closest]} ${percent(probabilities[closest])}`
  return label === UNSURE ? `${UNSURE} (${named})` : named
}
