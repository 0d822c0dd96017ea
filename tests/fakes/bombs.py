"""Small files that unpack to the largest picture that fer.see.formats allows, or to far more."""

import io
import struct
import zlib
from collections.abc import Callable

from PIL import Image

from fer.see.formats import LIMITS_MP


def solid(form: str, megapixels: float, mode: str = "RGB", **options: object) -> bytes:
    """A picture of one colour, 4 : 3, in Pillow's format `form`."""
    width = int((megapixels * 1e6 * 4 / 3) ** 0.5)
    file = io.BytesIO()
    Image.new(mode, (width, width * 3 // 4), (90, 120, 150, 100)[: len(mode)] if mode != "F" else 0.5).save(
        file, form, **options
    )
    return file.getvalue()


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def strip(width: int, height: int) -> bytes:
    """A grey PNG whose few bytes declare a strip of that size."""
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")


def deep_png(megapixels: float) -> bytes:
    """16 bits of red, green, blue and alpha: eight bytes a pixel."""
    width = int((megapixels * 1e6 * 4 / 3) ** 0.5)
    height = width * 3 // 4
    deflate = zlib.compressobj(1)
    rows = b"".join(deflate.compress(bytes(1 + 8 * width)) for _ in range(height)) + deflate.flush()
    header = struct.pack(">IIBBBBB", width, height, 16, 6, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def animation(form: str, megapixels: float) -> bytes:
    width = int((megapixels * 1e6 * 4 / 3) ** 0.5)
    frames = [Image.new("RGB", (width, width * 3 // 4), color) for color in ("red", "green", "blue")]
    file = io.BytesIO()
    options = {"lossless": True, "method": 0} if form == "WEBP" else {}
    frames[0].save(file, form, save_all=True, append_images=frames[1:], **options)
    return file.getvalue()


def many_scans(scans: int, side_px: int) -> bytes:
    """A progressive JPEG whose last scan comes again and again: each goes over all its coefficients."""
    file = io.BytesIO()
    Image.new("RGB", (side_px, side_px), (90, 120, 150)).save(file, "JPEG", progressive=True, subsampling=0)
    content = file.getvalue()
    last = content[content.rfind(b"\xff\xda") : -2]
    return content[:-2] + last * scans + content[-2:]


def tiny_webp(width: int, height: int) -> bytes:
    """34 bytes that declare a lossless WebP of that size; all its pixels are one code of no bits."""
    size = struct.pack("<I", (width - 1) | (height - 1) << 14)
    body = b"\x2f" + size + bytes([0x88, 0x88, 0x08]) + bytes(6)
    riff = b"WEBPVP8L" + struct.pack("<I", len(body)) + body
    return b"RIFF" + struct.pack("<I", len(riff)) + riff


def huge_tile_tiff(side_px: int) -> bytes:
    """16 × 16 pixels in one deflated tile of side_px × side_px."""
    packed = zlib.compress(bytes(1000))
    entries = [(256, 16), (257, 16), (258, 8), (259, 8), (262, 1), (277, 1), (322, side_px), (323, side_px)]
    offset = 8 + 2 + 12 * (len(entries) + 2) + 4
    entries += [(324, offset), (325, len(packed))]
    directory = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries)
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + directory + bytes(4) + packed


# At the limit of its format each; benchmarks/pictures.py measures the memory and time of reading them.
AT_THE_LIMIT: dict[str, Callable[[], bytes]] = {
    "JPEG": lambda: solid("JPEG", LIMITS_MP["JPEG"] - 0.1),
    "JPEG of 50 megapixels": lambda: solid("JPEG", 49.9, subsampling=0),
    "progressive JPEG": lambda: solid("JPEG", 49.9, progressive=True, subsampling=0),
    "JPEG in 100 scans": lambda: many_scans(90, 2800),
    "CMYK JPEG": lambda: solid("JPEG", 37.4, "CMYK", progressive=True),
    "PNG, 16 bits, alpha": lambda: deep_png(LIMITS_MP["PNG"] - 0.1),
    "PNG, palette": lambda: solid("PNG", LIMITS_MP["PNG"] - 0.1, "L", compress_level=1),
    "animated GIF": lambda: animation("GIF", LIMITS_MP["GIF"] - 0.1),
    "animated PNG": lambda: animation("PNG", LIMITS_MP["PNG"] - 0.1),
    "TIFF, floating point": lambda: solid("TIFF", LIMITS_MP["TIFF"] - 0.1, "F", compression="tiff_adobe_deflate"),
    "TIFF, CMYK": lambda: solid("TIFF", LIMITS_MP["TIFF"] - 0.1, "CMYK", compression="tiff_lzw"),
    "BMP": lambda: solid("BMP", LIMITS_MP["BMP"] - 0.1),
    "WebP": lambda: solid("WEBP", LIMITS_MP["WEBP"] - 0.1, lossless=True, method=0),
    "animated WebP": lambda: animation("WEBP", LIMITS_MP["WEBP"] - 0.1),
    "AVIF": lambda: solid("AVIF", LIMITS_MP["AVIF"] - 0.1, "RGBA", speed=10, subsampling="4:4:4"),
    "JPEG 2000": lambda: solid("JPEG2000", LIMITS_MP["JPEG2000"] - 0.1, "RGBA"),
}

# Declare more than the limit in few bytes.
BEYOND: dict[str, Callable[[], bytes]] = {
    "WebP of 34 bytes": lambda: tiny_webp(16_383, 16_383),
    "WebP, a little too large": lambda: tiny_webp(5_100, 5_100),
    "TIFF with a huge tile": lambda: huge_tile_tiff(30_000),
    "JPEG in 400 scans": lambda: many_scans(390, 2048),
    "AVIF": lambda: solid("AVIF", 30, speed=10),
    "JPEG 2000": lambda: solid("JPEG2000", 13),
    "PNG one pixel high": lambda: strip(40_000_000, 1),
    "PNG one pixel wide": lambda: strip(1, 40_000_000),
    "plain PPM": lambda: b"P3 2000 1500 255\n" + b"9 " * 9_000_000,
    "GIF": lambda: b"GIF89a" + struct.pack("<HH", 65_535, 65_535) + bytes(3) + b"\x2c" + bytes(8) + b"\0\2\2L\1\0;",
}
