// Reads an ONNX file: protobuf with the few fields that a network of convolutions has (onnx.proto names the numbers).

export class ModelError extends Error {}

const FLOAT = 1, INT64 = 7, HALF = 10
const text = new TextDecoder()

// The fields of one message: [number, value]; value is a whole number, the view of four bytes, or a Uint8Array.
function* fields(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let at = 0
  const whole = () => {
    let value = 0, scale = 1
    for (;;) {
      if (at >= bytes.length) throw new ModelError("the file ends in the middle of a number")
      const byte = bytes[at++]
      value += (byte & 127) * scale
      scale *= 128
      if (byte < 128) return value >= 2 ** 63 ? value - 2 ** 64 : value
    }
  }
  while (at < bytes.length) {
    const tag = whole()
    const kind = tag % 8, number = Math.floor(tag / 8)
    const length = { 0: 0, 1: 8, 2: kind === 2 ? whole() : 0, 5: 4 }[kind]
    if (length === undefined) throw new ModelError(`the file is no protobuf: a field of kind ${kind}`)
    if (at + length > bytes.length) throw new ModelError("the file ends in the middle of a field")
    if (kind === 0) yield [number, whole()]
    else if (kind === 5) yield [number, view.getFloat32(at, true)]
    else yield [number, bytes.subarray(at, at + length)]
    at += length
  }
}

const packed = (value) => {
  if (typeof value === "number") return [value]
  // Packed whole numbers read as the fields of a message would: each of them is one varint.
  const numbers = []
  for (let at = 0; at < value.length; ) {
    let number = 0, scale = 1, byte
    do {
      byte = value[at++]
      number += (byte & 127) * scale
      scale *= 128
    } while (byte >= 128)
    numbers.push(number >= 2 ** 63 ? number - 2 ** 64 : number)
  }
  return numbers
}

const halfTable = () => {
  const table = new Float32Array(65536)
  for (let bits = 0; bits < 65536; bits++) {
    const sign = bits & 0x8000 ? -1 : 1, exponent = (bits >> 10) & 31, fraction = bits & 1023
    if (exponent === 31) table[bits] = fraction ? NaN : sign * Infinity
    else table[bits] = sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -14 * (fraction / 1024))
  }
  return table
}
let halves = null

const numbersOf = (name, kind, raw, floats, wholes) => {
  if (kind === FLOAT) return raw ? new Float32Array(raw.slice().buffer) : Float32Array.from(floats)
  if (kind === INT64) return raw ? Array.from(new BigInt64Array(raw.slice().buffer), Number) : wholes
  if (kind === HALF && raw) {
    halves ??= halfTable()
    const bits = new Uint16Array(raw.slice().buffer), numbers = new Float32Array(bits.length)
    for (let i = 0; i < bits.length; i++) numbers[i] = halves[bits[i]]
    return numbers
  }
  throw new ModelError(`tensor '${name}' has the data type ${kind}; expected float32, float16 or int64`)
}

const tensorOf = (bytes) => {
  const dims = [], floats = [], wholes = []
  let kind = 0, name = "", raw = null
  for (const [number, value] of fields(bytes)) {
    if (number === 1) dims.push(...packed(value))
    else if (number === 2) kind = value
    else if (number === 4) floats.push(...(typeof value === "number" ? [value] : new Float32Array(value.slice().buffer)))
    else if (number === 7) wholes.push(...packed(value))
    else if (number === 8) name = text.decode(value)
    else if (number === 9) raw = value
    else if (number === 14 && value !== 0) throw new ModelError(`tensor '${name}' lies in another file`)
  }
  const numbers = numbersOf(name, kind, raw, floats, wholes)
  const size = dims.reduce((product, dim) => product * dim, 1)
  if (numbers.length !== size) throw new ModelError(`tensor '${name}': ${numbers.length} numbers, not ${size}`)
  return { name, dims, numbers }
}

const attributeOf = (bytes) => {
  let name = "", value = null
  for (const [number, found] of fields(bytes)) {
    if (number === 1) name = text.decode(found)
    else if (number === 2 || number === 3) value = found
    else if (number === 4) value = text.decode(found)
    else if (number === 5) value = tensorOf(found)
    else if (number === 7 || number === 8) value = [...(value ?? []), ...packed(found)]
  }
  return [name, value]
}

const nodeOf = (bytes) => {
  const node = { inputs: [], outputs: [], type: "", attributes: {} }
  for (const [number, value] of fields(bytes)) {
    if (number === 1) node.inputs.push(text.decode(value))
    else if (number === 2) node.outputs.push(text.decode(value))
    else if (number === 4) node.type = text.decode(value)
    else if (number === 5) {
      const [name, found] = attributeOf(value)
      node.attributes[name] = found
    }
  }
  return node
}

const nameOf = (bytes) => {
  for (const [number, value] of fields(bytes)) if (number === 1) return text.decode(value)
  return ""
}

// bytes: Uint8Array, an ONNX file. Gives {nodes, tensors: Map(name → {dims, numbers}), inputs, outputs}: names.
// Throws ModelError for what is no such file.
export const readModel = (bytes) => {
  const model = { nodes: [], tensors: new Map(), inputs: [], outputs: [] }
  const graph = [...fields(bytes)].find(([number]) => number === 7)?.[1]
  if (!(graph instanceof Uint8Array)) throw new ModelError("the file holds no network: no graph was found in it")
  for (const [number, value] of fields(graph)) {
    if (number === 1) model.nodes.push(nodeOf(value))
    else if (number === 5) {
      const tensor = tensorOf(value)
      model.tensors.set(tensor.name, tensor)
    } else if (number === 11) model.inputs.push(nameOf(value))
    else if (number === 12) model.outputs.push(nameOf(value))
  }
  return model
}
