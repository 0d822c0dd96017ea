// What was seen over time: the last minute, always; a whole recording, only when asked. fer/see/timeline.py in the page.
// `rules` here are those of the timeline in fer/web/rules.py.

// The looks of the last rules.span_s seconds, judged as they come. newJudge(): a Judge by the settings that hold now.
export class Timeline {
  constructor(newJudge, rules) {
    Object.assign(this, { newJudge, span: rules.span_s, looks: [], samples: [], judge: newJudge() })
  }

  add(look) {
    this.looks.push(look)
    this.samples.push(this.judge.add(look))
    while (look.time - this.looks[0].time > this.span) {
      this.looks.shift()
      this.samples.shift()
    }
    return this.newest
  }

  // Judges all of it again, by other settings.
  judgeAgain() {
    this.judge = this.newJudge()
    this.samples = this.looks.map((look) => this.judge.add(look))
  }

  get newest() {
    return this.samples.at(-1) ?? null
  }
}

// All looks between start and stop, up to the rules' limits.
export class Recording {
  constructor(rules) {
    Object.assign(this, { rules, looks: [], rows: 0 })
  }

  add(look) {
    if (this.duration >= this.rules.record_limit_s || this.rows >= this.rules.record_limit_rows) return
    this.looks.push(look)
    this.rows += look.tracks.length
  }

  get duration() {
    return this.looks.length ? this.looks.at(-1).time - this.looks[0].time : 0
  }
}

const spans = (samples, { longest_gap_s: gap }) => {
  const steps = samples.slice(1).map((sample, i) => sample.time - samples[i].time).sort((a, b) => a - b)
  const longest = steps.length ? Math.max(gap, 2 * steps[Math.floor(steps.length / 2)]) : gap
  return samples.flatMap((sample, i) => {
    const until = Math.min(samples[i + 1]?.time ?? sample.time, sample.time + longest)
    return sample.predictions.map((seen) => ({ start: sample.time, until, seen }))
  })
}

// For each identity the seconds that each label was shown: Map(identity → {label: seconds}).
export const labelSeconds = (samples, rules) => {
  const seconds = new Map()
  for (const { start, until, seen } of spans(samples, rules)) {
    const labels = seconds.get(seen.identity) ?? {}
    labels[seen.label] = (labels[seen.label] ?? 0) + until - start
    seconds.set(seen.identity, labels)
  }
  return seconds
}

// For each identity its [start, end, label] in order; neighbours with one label are joined.
export const labelSpans = (samples, rules) => {
  const rows = new Map()
  for (const { start, until, seen } of spans(samples, rules)) {
    if (!rows.has(seen.identity)) rows.set(seen.identity, [])
    const row = rows.get(seen.identity), last = row.at(-1)
    if (last && last[2] === seen.label && start - last[1] < 1e-6) last[1] = until
    else row.push([start, until, seen.label])
  }
  return rows
}

// One row for each face of each analysed frame, in the columns of the server's recording.
export const toCsv = (samples, columns) => {
  const lines = samples.flatMap((sample) =>
    sample.predictions.map(({ identity, label, unreadable, face, probabilities }) => {
      const moment = new Date(Math.floor(1000 * sample.unix)).toISOString().replace("Z", "+00:00")
      const numbers = [...face.box.map((value) => value.toFixed(1)), ...Array.from(probabilities, (p) => p.toFixed(4))]
      return [moment, (sample.time - samples[0].time).toFixed(3), identity, label, unreadable, ...numbers].join(",")
    }))
  return [columns.join(","), ...lines, ""].join("\r\n")
}
