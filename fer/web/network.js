// Runs a convolutional network from an ONNX file with the kernels: YuNet, or a ResNet9 of any width.
// Operations that the kernels lack are refused, with a message, when the file is read.
import { ModelError, readModel } from "./onnx.js"

const same = (value, wanted, absent) => JSON.stringify(value ?? absent) === JSON.stringify(wanted)
const upTo8 = (channels) => (channels + 7) & ~7

const must = (node, holds, what) => {
  if (!holds) throw new ModelError(`layer '${node.outputs[0]}' (${node.type}): ${what}. The browser's kernels do not know it`)
}

// A map lies in the kernels' memory as kernels.c says: {at, count, height, width, channels, stride}.
const sizeOf = ({ count, height, width, stride }) => count * (height + 2) * (width + 2) * stride
const make = (kernels, shape) => ({ ...shape, at: kernels.take(4 * sizeOf(shape), layoutOf(shape)) })
// Maps of one layout can follow each other in one place: each fills all but the border, which stays zero.
const layoutOf = ({ count, height, width, stride }) => `${count} ${height} ${width} ${stride}`

export class Network {
  // Throws ModelError for a file that is broken or has an unknown layer.
  constructor(kernels, bytes) {
    this.kernels = kernels
    this.model = readModel(bytes)
    this.steps = []
    for (const node of this.model.nodes) this.#add(node)
    for (const name of this.model.outputs)
      if (!this.steps.some(({ node }) => node.outputs[0] === name)) throw new ModelError(`nothing gives the output '${name}'`)
    this.model.tensors.clear() // the kernels' memory has what is needed of them
    this.kernels.keep()
    this.shape = null
  }

  // Memory for an input of that shape, {count, height, width, channels, stride}; kept as long as it stays the same.
  // Returns the input's map, whose interior must be filled before `run`.
  plan(shape) {
    const wanted = JSON.stringify(shape)
    if (this.shape === wanted) return this.values.get(this.model.inputs[0])
    this.kernels.reset()
    this.shape = null
    this.values = new Map([[this.model.inputs[0], make(this.kernels, shape)]])
    this.work = []
    const names = [...this.model.inputs, ...this.model.outputs, ...this.steps.flatMap(({ node }) => node.inputs)]
    const readers = new Map() // how many readers of each value are still to come; one more for what must last
    for (const name of names) readers.set(name, (readers.get(name) ?? 0) + 1)
    for (const { node, prepare } of this.steps) {
      const read = node.inputs.filter((name) => this.values.has(name))
      const { value, run } = prepare(read.map((name) => this.values.get(name)))
      this.values.set(node.outputs[0], value)
      if (run) this.work.push(run)
      for (const name of read) this.#forget(name, readers)
    }
    this.shape = wanted
    return this.values.get(this.model.inputs[0])
  }

  run() {
    for (const step of this.work) step()
  }

  // Called after each reader of a value: when the last one is done, the value's place is free for another.
  #forget(name, readers) {
    readers.set(name, readers.get(name) - 1)
    if (readers.get(name) > 0) return
    const value = this.values.get(name)
    this.values.delete(name)
    if (![...this.values.values()].some(({ at }) => at === value.at)) this.kernels.release(value.at, layoutOf(value))
  }

  // An output of the last run without its border: float32, rows of pixels, channels innermost (count, height, width, channels).
  read(name) {
    const { at, count, height, width, channels, stride } = this.values.get(name)
    const from = this.kernels.floats(at, sizeOf({ count, height, width, stride }))
    const numbers = new Float32Array(count * height * width * channels)
    let to = 0
    for (let n = 0; n < count; n++)
      for (let y = 1; y <= height; y++)
        for (let x = 1; x <= width; x++) {
          const pixel = ((n * (height + 2) + y) * (width + 2) + x) * stride
          for (let c = 0; c < channels; c++) numbers[to++] = from[pixel + c]
        }
    return { numbers, count, height, width, channels }
  }

  #tensor(node, index) {
    const tensor = this.model.tensors.get(node.inputs[index])
    must(node, tensor, `input ${index + 1} must be a constant`)
    return tensor
  }

  #add(node) {
    const { tensors } = this.model
    if (node.type === "Cast" && tensors.has(node.inputs[0])) {
      must(node, node.attributes.to === 1, "a cast to anything but float32")
      tensors.set(node.outputs[0], tensors.get(node.inputs[0])) // already read as float32
      return
    }
    if (node.type === "Relu") {
      // Part of the preceding convolution.
      const before = this.steps.find((step) => step.node.outputs[0] === node.inputs[0])
      const readers = this.model.nodes.filter(({ inputs }) => inputs.includes(node.inputs[0]))
      must(node, before?.node.type === "Conv" && readers.length === 1, "a ReLU that does not follow a convolution")
      before.relu = true
      before.node = { ...before.node, outputs: node.outputs }
      return
    }
    const compile = LAYERS[node.type]
    must(node, compile, "a layer of an unknown kind")
    const step = { node, relu: false }
    step.prepare = compile(this.kernels, node, (index) => this.#tensor(node, index), step)
    this.steps.push(step)
  }
}

const alias = ([value]) => ({ value })

// Each layer: what is checked and laid out once; then, for maps of a known shape, the output and how it is filled.
const LAYERS = {
  Conv(kernels, node, tensor, step) {
    const { dims, numbers } = tensor(1)
    const [outputs, inputs, kernel] = dims
    const { attributes } = node
    const edge = kernel === 3 ? [1, 1, 1, 1] : [0, 0, 0, 0]
    const group = attributes.group ?? 1
    const [stride] = attributes.strides ?? [1]
    must(node, (kernel === 1 || kernel === 3) && dims[3] === kernel, `a kernel of ${dims[2]} × ${dims[3]}`)
    must(node, same(attributes.pads, edge, [0, 0, 0, 0]), `padding of ${attributes.pads}`)
    must(node, same(attributes.strides, [stride, stride], [1, 1]) && (stride === 1 || stride === 2), `strides of ${attributes.strides}`)
    must(node, same(attributes.dilations, [1, 1], [1, 1]), `dilations of ${attributes.dilations}`)
    must(node, (attributes.auto_pad ?? "NOTSET") === "NOTSET", `padding of the kind ${attributes.auto_pad}`)
    const deep = group === outputs && inputs === 1 && kernel === 3 && stride === 1
    const parts = deep ? 1 : group // with several, each reads its own channels and writes its own, in eights
    const each = outputs / parts
    must(node, parts === 1 || each % 8 === 0, `${outputs} channels in ${group} groups`)
    const bias = new Float32Array(upTo8(outputs))
    if (node.inputs.length > 2) bias.set(tensor(2).numbers)
    const at = { weights: (deep && group > 1 ? deepWeights : weights)(kernels, dims, numbers), bias: kernels.put(bias) }
    const channels = inputs * group
    return ([input]) => {
      must(node, input.channels === channels, `${input.channels} channels come, ${channels} were expected`)
      const [height, width] = [input.height, input.width].map((side) => Math.ceil(side / stride))
      const value = make(kernels, { count: input.count, height, width, channels: outputs, stride: upTo8(outputs) })
      const relu = step.relu ? 1 : 0
      if (deep && group > 1) {
        must(node, input.stride === value.stride, "channels that lie otherwise than a convolution's")
        return { value, run: () => kernels.calls.depthwise(input.at, value.at, width, height, value.stride, at.weights, at.bias, relu, input.count) }
      }
      const run = () => {
        for (let part = 0; part < parts; part++) {
          const [from, to] = [input.at + 4 * part * inputs, value.at + 4 * part * each]
          const [weightsAt, biasAt] = [at.weights + 4 * part * each * inputs * kernel * kernel, at.bias + 4 * part * each]
          kernels.calls.conv(from, input.width, input.height, input.stride, inputs, to, width, height, value.stride, upTo8(each), weightsAt, biasAt, kernel, stride, relu, input.count)
        }
      }
      return { value, run }
    }
  },

  // After pooling to one pixel a matrix is a convolution of 1 × 1.
  Gemm(kernels, node, tensor, step) {
    const { attributes } = node
    must(node, attributes.transB === 1 && !attributes.transA, "a matrix that is not transposed")
    must(node, (attributes.alpha ?? 1) === 1 && (attributes.beta ?? 1) === 1, "a matrix with a factor")
    const matrix = tensor(1)
    const convolution = { ...node, attributes: {} }
    const given = (index) => (index === 1 ? { dims: [...matrix.dims, 1, 1], numbers: matrix.numbers } : tensor(index))
    return LAYERS.Conv(kernels, convolution, given, step)
  },

  MaxPool(kernels, node) {
    const { kernel_shape: [size], kernel_shape: sizes, strides, pads, ceil_mode: up } = node.attributes
    must(node, same(sizes, [size, size]) && same(strides, sizes), `windows of ${sizes} at steps of ${strides}`)
    must(node, same(pads, [0, 0, 0, 0], [0, 0, 0, 0]) && !up, "windows beyond the edge")
    return ([input]) => {
      const [height, width] = [input.height, input.width].map((side) => Math.floor(side / size))
      const value = make(kernels, { ...input, height, width })
      return { value, run: () => kernels.calls.max_pool(input.at, input.width, input.height, value.at, width, height, value.stride, size, input.count) }
    }
  },

  Resize(kernels, node, tensor) {
    const { mode, coordinate_transformation_mode: places, nearest_mode: nearest } = node.attributes
    must(node, mode === "nearest" && places === "asymmetric" && nearest === "floor", `mode ${mode}, ${places}, ${nearest}`)
    must(node, same(Array.from(tensor(2).numbers), [1, 1, 2, 2]), `scales of ${Array.from(tensor(2).numbers)}`)
    return ([input]) => {
      const value = make(kernels, { ...input, height: 2 * input.height, width: 2 * input.width })
      return { value, run: () => kernels.calls.double_size(input.at, value.at, input.width, input.height, input.stride, input.count) }
    }
  },

  Add(kernels, node) {
    return ([a, b]) => {
      must(node, b && sizeOf(a) === sizeOf(b) && a.height === b.height && a.channels === b.channels, "a sum of unlike maps")
      const value = make(kernels, { ...a })
      return { value, run: () => kernels.calls.add(a.at, b.at, value.at, sizeOf(value)) }
    }
  },

  // The channels are innermost here from the start.
  Transpose(kernels, node) {
    must(node, same(node.attributes.perm, [0, 2, 3, 1]), `an order of ${node.attributes.perm}`)
    return alias
  },

  // After a Transpose it only numbers the pixels in one dimension instead of two; the input gains a dimension of one channel.
  Reshape(kernels, node, tensor) {
    const shape = Array.from(tensor(1).numbers)
    const flat = shape.length === 3 && shape[1] === -1
    return ([input]) => {
      const { channels, height, width } = input
      must(node, flat ? shape[2] === channels : same(shape.slice(1), [channels, height, width]), `a shape of ${shape}`)
      return { value: input }
    }
  },

  Flatten(kernels, node) {
    return ([input]) => {
      must(node, input.height === 1 && input.width === 1, `${input.height} × ${input.width} pixels to one row`)
      return { value: input }
    }
  },

  Cast(kernels, node) {
    must(node, node.attributes.to === 1, "a cast to anything but float32")
    return alias // the input is written as float32
  },

  Mul: (kernels, node, tensor) => byConstant(kernels, node, tensor, (value, by) => value * by),
  Sub: (kernels, node, tensor) => byConstant(kernels, node, tensor, (value, by) => value - by),
  Sigmoid: (kernels) => inPlace(kernels, (pixel) => pixel.forEach((v, c) => (pixel[c] = 1 / (1 + Math.exp(-v))))),

  Softmax(kernels, node) {
    must(node, node.attributes.axis === 1 || node.attributes.axis === -1, `an axis of ${node.attributes.axis}`)
    return inPlace(kernels, (pixel) => {
      const most = Math.max(...pixel)
      const sum = pixel.reduce((total, v, c) => total + (pixel[c] = Math.exp(v - most)), 0)
      pixel.forEach((v, c) => (pixel[c] = v / sum))
    })
  },
}

const byConstant = (kernels, node, tensor, change) => {
  const { numbers } = tensor(1)
  must(node, numbers.length === 1, `${numbers.length} constants`)
  return inPlace(kernels, (pixel) => pixel.forEach((v, c) => (pixel[c] = change(v, numbers[0]))))
}

// A new map, each of whose pixels (a Float32Array of its channels) `change` has changed.
const inPlace = (kernels, change) => ([input]) => {
  const value = make(kernels, { ...input })
  const { count, height, width, channels, stride } = value
  const run = () => {
    const to = kernels.floats(value.at, sizeOf(value))
    to.set(kernels.floats(input.at, sizeOf(value)))
    for (let n = 0; n < count; n++)
      for (let y = 1; y <= height; y++) {
        const row = (n * (height + 2) + y) * (width + 2)
        // With one channel a row is changed at once: 48 calls a face, not 2,304.
        if (stride === 1) change(to.subarray(row + 1, row + 1 + width))
        else for (let x = 1; x <= width; x++) change(to.subarray((row + x) * stride, (row + x) * stride + channels))
      }
  }
  return { value, run }
}

// (outputs, inputs, k, k) → [outputs / 8][k * k][inputs][8] in the kernels' memory; the address.
const weights = (kernels, [outputs, inputs, kernel], numbers) => {
  const taps = kernel * kernel, length = upTo8(outputs) * inputs * taps
  const place = kernels.take(4 * length), laid = kernels.floats(place, length)
  let at = 0
  for (let first = 0; first < outputs; first += 8)
    for (let t = 0; t < taps; t++)
      for (let i = 0; i < inputs; i++, at += 8)
        for (let o = 0; o < 8 && first + o < outputs; o++) laid[at + o] = numbers[((first + o) * inputs + i) * taps + t]
  return place
}

// (channels, 1, 3, 3) → [9][stride], likewise
const deepWeights = (kernels, [channels], numbers) => {
  const stride = upTo8(channels)
  const place = kernels.take(4 * 9 * stride), laid = kernels.floats(place, 9 * stride)
  for (let c = 0; c < channels; c++) for (let t = 0; t < 9; t++) laid[t * stride + c] = numbers[9 * c + t]
  return place
}
