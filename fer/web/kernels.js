// The WebAssembly of kernels.c with a memory that grows: what is kept (weights) at the bottom, what changes above them.

// wasm: {plain, relaxed}, Uint8Array each. Gives the module of the fastest that this browser runs.
// Throws where it runs neither: it lacks WebAssembly or its SIMD.
export const compileKernels = async ({ plain, relaxed }) => {
  if (typeof WebAssembly === "undefined") throw new DOMException("no WebAssembly", "NotSupportedError")
  for (const bytes of [relaxed, plain]) if (WebAssembly.validate(bytes)) return WebAssembly.compile(bytes)
  throw new DOMException("no WebAssembly SIMD", "NotSupportedError")
}

export class Kernels {
  constructor(module) {
    this.calls = new WebAssembly.Instance(module).exports
    this.released = new Map()
    this.kept = this.next = (this.calls.__heap_base.value + 15) & ~15
  }

  // Takes that many bytes and returns their address. They are zero, or hold what was left in a released place of that layout.
  // Throws RangeError where the browser gives no more memory.
  take(bytes, layout = null) {
    const again = this.released.get(layout)?.pop()
    if (again !== undefined) return again
    const at = this.next
    this.next = (at + bytes + 15) & ~15
    const missing = this.next - this.calls.memory.buffer.byteLength
    if (missing > 0) this.calls.memory.grow(Math.ceil(missing / 65536))
    new Uint8Array(this.calls.memory.buffer, at, bytes).fill(0)
    return at
  }

  release(at, layout) {
    this.released.set(layout, [...(this.released.get(layout) ?? []), at])
  }

  // A view is valid only until the next `take`: memory that grows moves.
  floats(at, length) {
    return new Float32Array(this.calls.memory.buffer, at, length)
  }

  bytes(at, length) {
    return new Uint8Array(this.calls.memory.buffer, at, length)
  }

  put(floats) {
    const at = this.take(4 * floats.length)
    this.floats(at, floats.length).set(floats)
    return at
  }

  keep() {
    this.kept = this.next
  }

  // Frees everything taken since `keep`.
  reset() {
    this.released.clear()
    this.next = this.kept
  }
}
