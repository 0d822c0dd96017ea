// One layer of ResNet9, 3 × 3 with ReLU, 64 channels to 64 on 48 × 48 pixels, borders of zeros: both ways, the same numbers.
async ({ kernels, rounds }, { compileKernels, Kernels }) => {
  const C = 64, S = 48, W = S + 2
  const random = (n) => Float32Array.from({ length: n }, (_, i) => Math.sin(i * 12.9898) % 1)
  const inner = (_, i) => [0, W - 1].includes(Math.floor(i / C) % W) || [0, W - 1].includes(Math.floor(i / C / W))
  const picture = random(W * W * C).map((v, i) => (inner(v, i) ? 0 : v)), weights = random(9 * C * C)
  const median = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)]
  const timed = async (work) => {
    const times = []
    for (let i = 0; i <= rounds; i++) {
      const started = performance.now()
      await work()
      if (i) times.push(performance.now() - started)
    }
    return median(times)
  }

  const wasm = new Kernels(await compileKernels(kernels))
  const [at, to] = [wasm.put(picture), wasm.take(4 * W * W * C)]
  const [w, bias] = [wasm.put(weights), wasm.take(4 * C)]
  const wasmMs = await timed(() => wasm.calls.conv(at, S, S, C, C, to, S, S, C, w, bias, 3, 1, 1, 1))
  const wanted = wasm.floats(to, W * W * C).slice()

  const adapter = await navigator.gpu?.requestAdapter()
  if (!adapter) return { adapter: "", wasmMs }
  const device = await adapter.requestDevice()
  const code = `
    @group(0) @binding(0) var<storage, read> a: array<f32>;
    @group(0) @binding(1) var<storage, read> w: array<vec4f>;
    @group(0) @binding(2) var<storage, read_write> o: array<vec4f>;
    @compute @workgroup_size(8, 8) fn main(@builtin(global_invocation_id) id: vec3u) {
      var sum = vec4f();
      for (var t = 0u; t < 9u; t++) {
        let at = ((id.y + t / 3u) * ${W} + id.x + t % 3u) * ${C};
        for (var c = 0u; c < ${C}u; c++) {
          sum += a[at + c] * w[(((id.z / 2) * 9 + t) * ${C} + c) * 2 + id.z % 2];
        }
      }
      o[((id.y + 1) * ${W} + id.x + 1) * ${C / 4} + id.z] = max(sum, vec4f());
    }`
  const U = GPUBufferUsage
  const sized = (floats, usage) => device.createBuffer({ size: 4 * floats, usage })
  const [a, b] = [W * W * C, 9 * C * C].map((floats) => sized(floats, U.STORAGE | U.COPY_DST))
  const o = sized(W * W * C, U.STORAGE | U.COPY_SRC), back = sized(W * W * C, U.MAP_READ | U.COPY_DST)
  const started = performance.now()
  const module = device.createShaderModule({ code })
  const pipeline = await device.createComputePipelineAsync({ layout: "auto", compute: { module, entryPoint: "main" } })
  const compileMs = performance.now() - started
  const entries = [a, b, o].map((buffer, binding) => ({ binding, resource: { buffer } }))
  const group = device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries })
  device.queue.writeBuffer(b, 0, weights)
  let found
  const way = (layers) => async () => {
    device.queue.writeBuffer(a, 0, picture)
    const encoder = device.createCommandEncoder()
    if (layers) {
      const pass = encoder.beginComputePass()
      pass.setPipeline(pipeline)
      pass.setBindGroup(0, group)
      pass.dispatchWorkgroups(S / 8, S / 8, C / 4)
      pass.end()
    }
    encoder.copyBufferToBuffer(o, 0, back, 0, 4 * W * W * C)
    device.queue.submit([encoder.finish()])
    await back.mapAsync(GPUMapMode.READ)
    found = new Float32Array(back.getMappedRange()).slice()
    back.unmap()
  }
  const emptyMs = await timed(way(0)), layerMs = await timed(way(1))
  const apart = found.reduce((most, value, i) => Math.max(most, Math.abs(value - wanted[i])), 0)
  return { adapter: `${adapter.info.vendor} ${adapter.info.architecture}`, wasmMs, compileMs, emptyMs, layerMs, apart }
}
