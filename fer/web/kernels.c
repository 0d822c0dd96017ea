// The layers of YuNet and ResNet9, and OpenCV's ways to resize and cut a picture, in WebAssembly SIMD.
//
// A map is float32 (N, H + 2, W + 2, S): channels innermost, S of them (those of the layer, filled up with zeros), and
// around each picture a border of one pixel that is always zero, so that 3 x 3 layers need no test for the edge.
// A picture is uint8 (H, W, 4), RGBA. Built by scripts/build_kernels.py, which makes both files of this one source.
#include <wasm_simd128.h>

#define EXPORT(name) __attribute__((export_name(#name))) name
#define INLINE static inline __attribute__((always_inline))
#define TILE 64 // pixels for which a block of weights stays in the first cache

typedef unsigned char u8;

#ifdef __wasm_relaxed_simd__
#define MADD(a, b, c) wasm_f32x4_relaxed_madd(a, b, c)
#else
#define MADD(a, b, c) wasm_f32x4_add(wasm_f32x4_mul(a, b), c)
#endif

// Four pixels times eight channels of a convolution. at: each pixel's place in the input, in floats.
INLINE void block(const float *in, const int *at, float *out, const int *to, const float *weights, const float *bias,
                  const int *taps, int tap_count, int channels, int relu) {
  v128_t a0 = wasm_v128_load(bias), a1 = wasm_v128_load(bias + 4);
  v128_t b0 = a0, b1 = a1, c0 = a0, c1 = a1, d0 = a0, d1 = a1;
  for (int t = 0; t < tap_count; t++) {
    const float *a = in + at[0] + taps[t], *b = in + at[1] + taps[t], *c = in + at[2] + taps[t], *d = in + at[3] + taps[t];
    for (int i = 0; i < channels; i++, weights += 8) {
      v128_t w0 = wasm_v128_load(weights), w1 = wasm_v128_load(weights + 4), v;
      v = wasm_v128_load32_splat(a + i), a0 = MADD(v, w0, a0), a1 = MADD(v, w1, a1);
      v = wasm_v128_load32_splat(b + i), b0 = MADD(v, w0, b0), b1 = MADD(v, w1, b1);
      v = wasm_v128_load32_splat(c + i), c0 = MADD(v, w0, c0), c1 = MADD(v, w1, c1);
      v = wasm_v128_load32_splat(d + i), d0 = MADD(v, w0, d0), d1 = MADD(v, w1, d1);
    }
  }
  v128_t results[8] = {a0, a1, b0, b1, c0, c1, d0, d1}, zero = wasm_f32x4_splat(0);
  for (int i = 0; i < 8; i++) {
    v128_t result = relu ? wasm_f32x4_pmax(zero, results[i]) : results[i];
    wasm_v128_store(out + to[i / 2] + 4 * (i % 2), result);
  }
}

// A convolution of kernel 1 or 3, its edges filled up with zeros, then ReLU where asked for.
// channels, outputs: how many of the strides' are read and written, which start at `in` and `out`; outputs in eights.
// weights: [outputs / 8][kernel * kernel][channels][8]; bias: [outputs].
void EXPORT(conv)(const float *in, int in_width, int in_height, int in_stride, int channels, float *out, int width,
                  int height, int out_stride, int outputs, const float *weights, const float *bias, int kernel,
                  int step, int relu, int count) {
  int taps[9], tap_count = kernel * kernel, pixels = count * height * width, edge = kernel == 1;
  for (int t = 0; t < tap_count; t++) taps[t] = ((t / kernel + edge) * (in_width + 2) + t % kernel + edge) * in_stride;
  for (int start = 0; start < pixels; start += TILE) {
    int at[TILE], to[TILE], end = start + TILE < pixels ? TILE : (pixels - start + 3) / 4 * 4;
    for (int i = 0; i < end; i++) {
      int pixel = start + i < pixels ? start + i : pixels - 1; // the last block does its last pixel again
      int x = pixel % width, y = pixel / width % height, n = pixel / width / height;
      at[i] = ((n * (in_height + 2) + y * step) * (in_width + 2) + x * step) * in_stride;
      to[i] = ((n * (height + 2) + y + 1) * (width + 2) + x + 1) * out_stride;
    }
    for (int o = 0; o < outputs; o += 8)
      for (int i = 0; i < end; i += 4)
        block(in, at + i, out + o, to + i, weights + o * tap_count * channels, bias + o, taps, tap_count, channels, relu);
  }
}

// A 3 x 3 convolution of each channel by itself. weights: [9][stride]; bias: [stride].
void EXPORT(depthwise)(const float *in, float *out, int width, int height, int stride, const float *weights,
                       const float *bias, int relu, int count) {
  int row = (width + 2) * stride;
  v128_t least = wasm_f32x4_splat(relu ? 0 : -__builtin_inff());
  for (int y = 0; y < count * (height + 2); y++) {
    if (y % (height + 2) == 0 || y % (height + 2) > height) continue;
    for (int c = 0; c < stride; c += 4) {
      v128_t w[9], first = wasm_v128_load(bias + c);
      for (int t = 0; t < 9; t++) w[t] = wasm_v128_load(weights + t * stride + c);
      const float *from = in + (y - 1) * row + c;
      float *to = out + y * row + c;
      v128_t left = first, middle = first; // what is known so far of the pixel left of this column, and of its own
      for (int x = 0; x < width + 2; x++, from += stride, to += stride) {
        v128_t a = wasm_v128_load(from), b = wasm_v128_load(from + row), d = wasm_v128_load(from + 2 * row);
        v128_t done = MADD(d, w[8], MADD(b, w[5], MADD(a, w[2], left)));
        if (x > 1) wasm_v128_store(to - stride, wasm_f32x4_pmax(least, done));
        left = MADD(d, w[7], MADD(b, w[4], MADD(a, w[1], middle)));
        middle = MADD(d, w[6], MADD(b, w[3], MADD(a, w[0], first)));
      }
    }
  }
}

// The largest of each size x size pixels. width, height: of the output.
void EXPORT(max_pool)(const float *in, int in_width, int in_height, float *out, int width, int height, int stride,
                      int size, int count) {
  for (int n = 0; n < count; n++)
    for (int y = 0; y < height; y++)
      for (int x = 0; x < width; x++) {
        const float *from = in + ((n * (in_height + 2) + y * size + 1) * (in_width + 2) + x * size + 1) * stride;
        float *to = out + ((n * (height + 2) + y + 1) * (width + 2) + x + 1) * stride;
        for (int c = 0; c < stride; c += 4) {
          v128_t most = wasm_v128_load(from + c);
          for (int i = 1; i < size * size; i++)
            most = wasm_f32x4_pmax(most, wasm_v128_load(from + (i / size * (in_width + 2) + i % size) * stride + c));
          wasm_v128_store(to + c, most);
        }
      }
}

// Each pixel twice in both directions. width, height: of the input.
void EXPORT(double_size)(const float *in, float *out, int width, int height, int stride, int count) {
  for (int n = 0; n < count; n++)
    for (int y = 0; y < 2 * height; y++)
      for (int x = 0; x < 2 * width; x++) {
        const float *from = in + ((n * (height + 2) + y / 2 + 1) * (width + 2) + x / 2 + 1) * stride;
        float *to = out + ((n * (2 * height + 2) + y + 1) * (2 * width + 2) + x + 1) * stride;
        for (int c = 0; c < stride; c += 4) wasm_v128_store(to + c, wasm_v128_load(from + c));
      }
}

void EXPORT(add)(const float *a, const float *b, float *out, int length) {
  for (int i = 0; i < length; i += 4)
    wasm_v128_store(out + i, wasm_f32x4_add(wasm_v128_load(a + i), wasm_v128_load(b + i)));
}

// What of the input each pixel of one axis is made of, as OpenCV's INTER_AREA has it: starts[i] is the first of
// counts[i] inputs, whose shares follow those of the pixels before. Gives the number of shares.
static int area_shares(int length, int to_length, int *starts, int *counts, float *shares) {
  double scale = 1 / ((double)to_length / length);
  int total = 0;
  for (int i = 0; i < to_length; i++) {
    double begin = i * scale, end = begin + scale, cell = scale < length - begin ? scale : length - begin;
    int first = (int)__builtin_ceil(begin), last = (int)__builtin_floor(end);
    if (last > length - 1) last = length - 1;
    if (first > last) first = last;
    int before = total;
    starts[i] = first;
    if (first - begin > 1e-3) starts[i] = first - 1, shares[total++] = (float)((first - begin) / cell);
    for (int j = first; j < last; j++) shares[total++] = (float)(1 / cell);
    if (end - last > 1e-3) {
      double share = end - last < 1 ? end - last : 1;
      shares[total++] = (float)((share < cell ? share : cell) / cell);
    }
    counts[i] = total - before;
  }
  return total;
}

INLINE v128_t pixel(const u8 *at) { // as four floats
  v128_t bytes = wasm_v128_load32_zero(at);
  return wasm_f32x4_convert_i32x4(wasm_u32x4_extend_low_u16x8(wasm_u16x8_extend_low_u8x16(bytes)));
}

INLINE void store_pixel(u8 *to, v128_t whole) { // four int32 in 0..255
  v128_t words = wasm_i16x8_narrow_i32x4(whole, whole);
  wasm_v128_store32_lane(to, wasm_u8x16_narrow_i16x8(words, words), 0);
}

// OpenCV's INTER_AREA to a smaller picture. row, step: bytes from a row or a pixel of the input to the next.
// scratch: 4 * to_width floats, then room for the shares of both axes, 4 bytes each: 3 * (length + 2 * to_length).
void EXPORT(resize_area)(const u8 *from, int width, int height, int row, int step, u8 *to, int to_width, int to_height,
                         float *scratch) {
  int *x_starts = (int *)(scratch + 4 * to_width), *x_counts = x_starts + to_width;
  int *y_starts = x_counts + to_width, *y_counts = y_starts + to_height;
  float *x_shares = (float *)(y_counts + to_height);
  float *y_shares = x_shares + area_shares(width, to_width, x_starts, x_counts, x_shares);
  area_shares(height, to_height, y_starts, y_counts, y_shares);
  // Of whole blocks OpenCV adds the numbers first and divides then; of 2 x 2 it rounds halves up, else to even.
  int across = width / to_width, down = height / to_height;
  int blocks = across * to_width == width && down * to_height == height;
  v128_t share = wasm_f32x4_splat((float)(1.0 / (across * down)));
  int up = blocks && across == 2 && down == 2;
  for (int y = 0; y < to_height; y++) {
    for (int x = 0; x < to_width; x++) wasm_v128_store(scratch + 4 * x, wasm_f32x4_splat(0));
    for (int j = 0; j < y_counts[y]; j++) {
      const u8 *line = from + (y_starts[y] + j) * row;
      const float *shares = x_shares;
      v128_t weight = wasm_f32x4_splat(y_shares[j]);
      for (int x = 0; x < to_width; x++) {
        const u8 *at = line + x_starts[x] * step;
        v128_t sum = wasm_f32x4_splat(0), old = wasm_v128_load(scratch + 4 * x);
        for (int i = 0; i < x_counts[x]; i++, at += step)
          sum = wasm_f32x4_add(sum, blocks ? pixel(at) : wasm_f32x4_mul(pixel(at), wasm_f32x4_splat(shares[i])));
        shares += x_counts[x];
        wasm_v128_store(scratch + 4 * x, wasm_f32x4_add(old, blocks ? sum : wasm_f32x4_mul(sum, weight)));
      }
    }
    y_shares += y_counts[y];
    for (int x = 0; x < to_width; x++, to += 4) {
      v128_t sum = wasm_v128_load(scratch + 4 * x);
      v128_t mean = blocks ? wasm_f32x4_mul(sum, share) : sum;
      mean = up ? wasm_f32x4_floor(wasm_f32x4_add(mean, wasm_f32x4_splat(0.5f))) : wasm_f32x4_nearest(mean);
      store_pixel(to, wasm_i32x4_trunc_sat_f32x4(mean));
    }
  }
}

// Where a pixel of an enlarged axis lies: between *at and the next, by the share of the next in 2048ths.
static int linear_share(int i, double scale, int length, int *at) {
  float place = (float)((i + 0.5) * scale - 0.5);
  *at = (int)__builtin_floorf(place);
  float share = place - *at;
  if (*at < 0) *at = 0, share = 0;
  if (*at >= length - 1) *at = length - 1, share = 0;
  return (int)__builtin_rintf(share * 2048);
}

// OpenCV's INTER_LINEAR, in its fixed-point numbers.
void EXPORT(resize_linear)(const u8 *from, int width, int height, u8 *to, int to_width, int to_height) {
  double x_scale = 1 / ((double)to_width / width), y_scale = 1 / ((double)to_height / height);
  for (int y = 0; y < to_height; y++) {
    int top, down = linear_share(y, y_scale, height, &top);
    const u8 *upper = from + 4 * top * width, *lower = top + 1 < height ? upper + 4 * width : upper;
    for (int x = 0; x < to_width; x++) {
      int left, right = linear_share(x, x_scale, width, &left), next = left + 1 < width ? 4 : 0;
      for (int c = 0; c < 4; c++, to++) {
        const u8 *a = upper + 4 * left + c, *b = lower + 4 * left + c;
        int above = a[0] * (2048 - right) + a[next] * right, below = b[0] * (2048 - right) + b[next] * right;
        *to = (((2048 - down) * (above >> 4) >> 16) + (down * (below >> 4) >> 16) + 2) >> 2;
      }
    }
  }
}

INLINE int between(int value, int most) { return value < 0 ? 0 : value > most ? most : value; }

// OpenCV's getRectSubPix, then its grey (ITU-R BT.601), for a square whose left top pixel is (left, top) and a
// part of a pixel further; beyond the picture its edge is repeated. to: uint8 (side, side, 4), grey in all four.
void EXPORT(cut_grey)(const u8 *from, int width, int height, int left, int top, float x_part, float y_part, u8 *to,
                      int side) {
  int weights[4] = {(int)__builtin_rintf((1 - x_part) * (1 - y_part) * 65536), (int)__builtin_rintf(x_part * (1 - y_part) * 65536),
                    (int)__builtin_rintf((1 - x_part) * y_part * 65536), (int)__builtin_rintf(x_part * y_part * 65536)};
  int upper_only = (int)__builtin_rintf((1 - y_part) * 65536), lower_only = (int)__builtin_rintf(y_part * 65536);
  for (int y = 0; y < side; y++) {
    const u8 *upper = from + 4 * between(top + y, height - 1) * width;
    const u8 *lower = from + 4 * between(top + y + 1, height - 1) * width;
    for (int x = 0; x < side; x++, to += 4) {
      int a = 4 * between(left + x, width - 1), b = 4 * between(left + x + 1, width - 1), color[3];
      for (int c = 0; c < 3; c++) {
        int sum = a == b ? upper[a + c] * upper_only + lower[a + c] * lower_only
                         : upper[a + c] * weights[0] + upper[b + c] * weights[1] + lower[a + c] * weights[2] + lower[b + c] * weights[3];
        color[c] = (sum + (1 << 15)) >> 16;
      }
      to[0] = to[1] = to[2] = to[3] = (color[0] * 9798 + color[1] * 19235 + color[2] * 3735 + (1 << 14)) >> 15;
    }
  }
}
