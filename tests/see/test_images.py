"""fer.see.images: every kind of photo arrives as upright RGB; what is broken or too large is refused."""

import io
import struct
import sys
import threading
import warnings
import zlib
from pathlib import Path
from typing import IO

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from fer.see import images
from fer.see.images import ImageError, open_image, open_picture

# Four flat quarters: lossy codecs keep them, and every turn and flip shows.
RED, GREEN, BLUE, GREY = (200, 30, 30), (30, 200, 30), (30, 30, 200), (128, 128, 128)


@pytest.fixture
def quarters() -> np.ndarray:
    photo = np.empty((40, 60, 3), np.uint8)
    photo[:20, :30], photo[:20, 30:], photo[20:, :30], photo[20:, 30:] = RED, GREEN, BLUE, GREY
    return photo


def encode(picture: Image.Image, form: str, **options: object) -> bytes:
    if form == "HEIF":
        import pillow_heif

        pillow_heif.register_heif_opener()
    file = io.BytesIO()
    picture.save(file, form, **options)
    return file.getvalue()


def assert_close(found: np.ndarray, expected: np.ndarray, tolerance: int = 12) -> None:
    assert found.dtype == np.uint8
    assert found.shape == expected.shape
    # The middle of each quarter: chroma subsampling blurs the seams.
    height, width = expected.shape[:2]
    for y in (height // 4, 3 * height // 4):
        for x in (width // 4, 3 * width // 4):
            np.testing.assert_allclose(found[y, x].astype(int), expected[y, x].astype(int), atol=tolerance)


@pytest.mark.parametrize(
    ("form", "options"),
    [
        ("JPEG", {"quality": 95}),
        ("JPEG", {"quality": 95, "progressive": True}),
        ("PNG", {}),
        ("WEBP", {"lossless": True}),
        ("WEBP", {"quality": 90}),
        ("AVIF", {"quality": 90}),
        ("HEIF", {"quality": 90}),
        ("BMP", {}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("GIF", {}),
        ("JPEG2000", {}),
        ("PPM", {}),
    ],
)
def test_formats(quarters: np.ndarray, form: str, options: dict[str, int | str]) -> None:
    assert_close(open_image(encode(Image.fromarray(quarters), form, **options)), quarters)


@pytest.mark.parametrize("mode", ["RGB", "L", "LA", "RGBA", "CMYK"])
def test_modes(quarters: np.ndarray, mode: str) -> None:
    picture = Image.fromarray(quarters).convert(mode)
    form = "PNG" if "A" in mode else "TIFF"
    expected = np.array(picture.convert("RGB"))
    assert_close(open_image(encode(picture, form)), expected, 3)


def test_one_bit(quarters: np.ndarray) -> None:
    found = open_image(encode(Image.fromarray(quarters).convert("1"), "PNG"))
    assert set(np.unique(found)) == {0, 255}


def test_cmyk_jpeg(quarters: np.ndarray) -> None:
    assert_close(open_image(encode(Image.fromarray(quarters).convert("CMYK"), "JPEG", quality=95)), quarters)


def test_palette(quarters: np.ndarray) -> None:
    picture = Image.fromarray(quarters).quantize(8)
    assert picture.mode == "P"
    assert_close(open_image(encode(picture, "PNG")), quarters)


def test_palette_with_transparency_lies_on_white(quarters: np.ndarray) -> None:
    picture = Image.fromarray(quarters).quantize(8)
    clear = picture.getpixel((0, 0))
    quarters[:20, :30] = 255
    assert_close(open_image(encode(picture, "PNG", transparency=clear)), quarters)


def test_alpha_lies_on_white(quarters: np.ndarray) -> None:
    alpha = np.full((40, 60, 1), 255, np.uint8)
    alpha[:20, :30], alpha[:20, 30:] = 0, 128
    found = open_image(encode(Image.fromarray(np.concatenate([quarters, alpha], axis=2)), "PNG"))
    expected = quarters.copy()
    expected[:20, :30] = 255
    expected[:20, 30:] = [255 + (c - 255) * 128 / 255 for c in GREEN]
    assert_close(found, expected, 2)


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_16_bit_grey_is_scaled(form: str) -> None:
    grey = np.array([[0, 257, 32896, 65535]] * 2, np.uint16)
    found = open_image(encode(Image.fromarray(grey), form))
    np.testing.assert_array_equal(found[0], [[0] * 3, [1] * 3, [128] * 3, [255] * 3])


def test_16_bit_big_endian_grey_is_scaled() -> None:
    file = io.BytesIO()
    Image.frombytes("I;16B", (2, 1), struct.pack(">2H", 0, 65535)).save(file, "TIFF")
    np.testing.assert_array_equal(open_image(file.getvalue())[0, :, 0], [0, 255])


def test_16_bit_rgb_is_scaled() -> None:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", 2, 1, 16, 2, 0, 0, 0)
    pixels = zlib.compress(b"\0" + struct.pack(">6H", 0, 32896, 65535, 65535, 0, 32896))
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    np.testing.assert_array_equal(open_image(png), [[[0, 128, 255], [255, 0, 128]]])


@pytest.mark.parametrize(("brightest", "expected"), [(1.0, 255), (255.0, 255), (65535.0, 255), (100.0, 100)])
def test_floating_point_grey_is_scaled(brightest: float, expected: int) -> None:
    grey = np.array([[0.0, brightest, np.nan]], np.float32)
    found = open_image(encode(Image.fromarray(grey), "TIFF"))
    np.testing.assert_array_equal(found[0, :, 0], [0, expected, 0])


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_turns_the_photo_upright(quarters: np.ndarray, form: str, orientation: int) -> None:
    stored = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.swapaxes(0, 1),
        6: lambda a: np.rot90(a, 1),
        7: lambda a: np.rot90(a.swapaxes(0, 1), 2),
        8: lambda a: np.rot90(a, -1),
    }[orientation](quarters)
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = Image.fromarray(np.ascontiguousarray(stored))
    assert_close(open_image(encode(picture, form, exif=exif.tobytes())), quarters)


@pytest.mark.parametrize("value", [0, 9, 65535])
def test_an_unknown_orientation_counts_as_upright(quarters: np.ndarray, value: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = value
    assert_close(open_image(encode(Image.fromarray(quarters), "PNG", exif=exif.tobytes())), quarters)


def test_broken_exif_is_no_reason_to_refuse(quarters: np.ndarray) -> None:
    junk = b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + b"\xff" * 9
    assert_close(open_image(encode(Image.fromarray(quarters), "JPEG", quality=95, exif=junk)), quarters)


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG", "TIFF"])
def test_of_an_animation_the_first_frame_is_read(quarters: np.ndarray, form: str) -> None:
    frames = [Image.fromarray(quarters), Image.fromarray(255 - quarters)]
    options = {"lossless": True} if form == "WEBP" else {}
    found = open_image(encode(frames[0], form, save_all=True, append_images=frames[1:], **options))
    assert_close(found, quarters)


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (3, 2)])
def test_tiny_photos(size: tuple[int, int]) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), np.uint8)
    np.testing.assert_array_equal(open_image(encode(Image.fromarray(picture), "PNG")), picture)


@pytest.mark.parametrize("orientation", [1, 6])
def test_a_jpeg_beyond_50_megapixels_is_read_at_half_its_sides(orientation: int) -> None:
    gradient = Image.linear_gradient("L").resize((9001, 6001))
    exif = Image.Exif()
    exif[0x0112] = orientation
    opened = open_picture(encode(gradient, "JPEG", exif=exif.tobytes()))
    assert opened.scale == pytest.approx(2, abs=1e-3)
    assert opened.image.shape[:2] == ((3001, 4501) if orientation == 1 else (4501, 3001))
    dark, bright = (opened.image[0], opened.image[-1]) if orientation == 1 else opened.image.swapaxes(0, 1)[[-1, 0]]
    assert dark.mean() < 4
    assert bright.mean() > 251


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("size", [(4000, 3000), (900, 5000), (600, 400)])
def test_longest_px_shrinks_and_never_enlarges(form: str, size: tuple[int, int]) -> None:
    opened = open_picture(encode(Image.linear_gradient("L").resize(size), form), longest_px=1000)
    scale = min(1, 1000 / max(size))
    assert opened.image.shape == (round(size[1] * scale), round(size[0] * scale), 3)
    assert opened.scale == pytest.approx(1 / scale)
    assert opened.image[0].mean() < 4
    assert opened.image[-1].mean() > 251


def test_shrinking_a_jpeg_decodes_fewer_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[tuple[int, int]] = []
    to_array = images.to_array

    def spy(picture: Image.Image) -> np.ndarray:
        decoded.append(picture.size)
        return to_array(picture)

    monkeypatch.setattr(images, "to_array", spy)
    open_image(encode(Image.new("L", (4000, 2000)), "JPEG"), longest_px=1000)
    assert decoded == [(1000, 500)]


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG", "AVIF"])
@pytest.mark.parametrize("frames", [1, 2])
def test_an_animation_is_known_as_one(quarters: np.ndarray, form: str, frames: int) -> None:
    pictures = [Image.fromarray(quarters), Image.fromarray(255 - quarters)][:frames]
    content = encode(pictures[0], form, save_all=True, append_images=pictures[1:])
    assert open_picture(content).first == ("frame" if frames == 2 else None)


@pytest.mark.parametrize("form", ["TIFF", "HEIF"])
def test_a_file_of_several_pictures_is_known_as_one(quarters: np.ndarray, form: str) -> None:
    picture, other = Image.fromarray(quarters), Image.fromarray(255 - quarters)
    several = encode(picture, form, save_all=True, append_images=[other])
    assert open_picture(several).first == "picture"
    assert_close(open_picture(several).image, quarters)
    assert open_picture(encode(picture, form)).first is None


def test_the_pictures_of_a_tiff_are_not_counted(quarters: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small file can have millions, each with a directory to read."""
    content = encode(Image.fromarray(quarters), "TIFF", save_all=True, append_images=[Image.fromarray(quarters)] * 100)
    loaded: list[TiffImagePlugin.ImageFileDirectory_v2] = []
    load = TiffImagePlugin.ImageFileDirectory_v2.load

    def spy(directory: TiffImagePlugin.ImageFileDirectory_v2, file: IO[bytes]) -> None:
        loaded.append(directory)
        load(directory, file)

    monkeypatch.setattr(TiffImagePlugin.ImageFileDirectory_v2, "load", spy)
    assert open_picture(content).first == "picture"
    assert len(loaded) < 10


def test_two_photos_in_an_mpo_are_no_animation(quarters: np.ndarray) -> None:
    left, right = Image.fromarray(quarters), Image.fromarray(255 - quarters)
    opened = open_picture(encode(left, "MPO", save_all=True, append_images=[right], quality=95))
    assert opened.first is None
    assert_close(opened.image, quarters)


@pytest.mark.parametrize("name", ["photo.jfif", "photo.mpo", "photo", "photo.txt", "photo.png"])
def test_a_file_is_known_by_its_content(tmp_path: Path, quarters: np.ndarray, name: str) -> None:
    (tmp_path / name).write_bytes(encode(Image.fromarray(quarters), "JPEG", quality=95))
    assert_close(open_image(tmp_path / name), quarters)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "L", "P", "1", "I;16", "F"])
@pytest.mark.parametrize("orientation", [1, 5, 8])
def test_a_picture_in_strips_is_the_picture_in_one(
    monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator, mode: str, orientation: int
) -> None:
    """Large pictures are converted strip by strip; seams, scales and turns must not show."""
    noise = Image.fromarray(rng.integers(0, 256, (37, 53, 4), dtype=np.uint8), "RGBA")
    picture = noise if mode == "RGBA" else noise.convert("L").convert("F" if mode == "F" else "L")
    picture = picture if mode in ("RGBA", "F", "L") else noise.convert("RGB") if mode == "RGB" else noise.convert("L")
    if mode == "I;16":
        picture = Image.fromarray(rng.integers(0, 65536, (37, 53)).astype(np.uint16))
    elif mode in ("LA", "1"):
        picture = noise.convert(mode)
    elif mode == "P":
        picture = noise.convert("RGB").quantize(200)
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = encode(picture, "TIFF" if mode == "F" else "PNG", exif=exif.tobytes())
    whole = open_image(content)
    monkeypatch.setattr(images, "_STRIP_PIXELS", 53 * 5)
    np.testing.assert_array_equal(open_image(content), whole)


def png_header(width: int, height: int) -> bytes:
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))


@pytest.mark.parametrize(
    "size", [(8200, 6100), (16000, 12000), (100_000, 100_000), (2**31 - 1, 2**31 - 1), (2**31 - 1, 1)]
)
@pytest.mark.parametrize("strict", [False, True])
def test_too_many_pixels_are_refused_by_the_header_alone(size: tuple[int, int], strict: bool) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error" if strict else "ignore")
        with pytest.raises(ImageError, match="megapixels") as refused:
            open_image(png_header(*size) + struct.pack(">I", 9999) + b"IDAT")  # and no pixel: decoding would fail
    assert "smaller" in str(refused.value)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "AVIF", "HEIF", "GIF", "TIFF", "BMP", "JPEG2000"])
@pytest.mark.parametrize("kept", [0.3, 0.7, 0.95])
def test_truncated_files_are_refused(sample_image: np.ndarray, form: str, kept: float) -> None:
    content = encode(Image.fromarray(sample_image), form)
    with pytest.raises(ImageError, match=r"cut off|not an image") as refused:
        open_image(content[: int(len(content) * kept)])
    assert "JPEG" in str(refused.value)  # says what to do


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"x", b"hello, this is no photo at all", b"%PDF-1.7\n"),
        *(b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"II*\0"),
        *(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n", b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
        *(b"\0\0\0\x18ftypheic" + b"\0" * 40, b"\0\0\0\x18ftypavif" + b"\0" * 40),
    ],
)
def test_other_files_are_refused(content: bytes) -> None:
    with pytest.raises(ImageError, match=r"not an image|cut off"):
        open_image(content)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF", "HEIF"])
def test_damaged_files_give_an_image_or_an_image_error(
    sample_image: np.ndarray, form: str, rng: np.random.Generator
) -> None:
    """Nothing else may come out of any damage: the page shows an ImageError's words, and only those."""
    content = np.frombuffer(encode(Image.fromarray(sample_image[60:124, 180:260]), form), np.uint8)
    for _ in range(150):
        damaged = content.copy()
        places = rng.integers(0, min(len(damaged), 400), rng.integers(1, 8))
        damaged[places] = rng.integers(0, 256, len(places), dtype=np.uint8)
        try:
            found = open_image(damaged.tobytes())
        except ImageError:
            continue
        assert found.dtype == np.uint8
        assert found.ndim == 3


def test_paths_are_named_in_errors(tmp_path: Path, quarters: np.ndarray) -> None:
    path = tmp_path / "photo.png"
    with pytest.raises(ImageError, match=r"photo\.png: cannot be read"):
        open_image(path)
    path.write_bytes(b"no photo")
    with pytest.raises(ImageError, match=r"photo\.png: not an image"):
        open_image(path)
    with pytest.raises(ImageError, match="cannot be read"):
        open_image(tmp_path)
    path.write_bytes(encode(Image.fromarray(quarters), "PNG"))
    np.testing.assert_array_equal(open_image(path), quarters)
    np.testing.assert_array_equal(open_image(str(path)), quarters)


def test_the_result_is_the_callers_own(quarters: np.ndarray) -> None:
    content = encode(Image.fromarray(quarters), "PNG")
    open_image(content)[:] = 0  # raises where it is read-only
    np.testing.assert_array_equal(open_image(content), quarters)


def test_heic_in_threads(quarters: np.ndarray) -> None:
    """The plugin is registered lazily, by whichever thread comes first."""
    content = encode(Image.fromarray(quarters), "HEIF", quality=90)
    found: list[np.ndarray] = []
    workers = [threading.Thread(target=lambda: found.append(open_image(content))) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(found) == 4
    for photo in found:
        assert_close(photo, quarters)


@pytest.mark.app  # a process of its own
def test_the_module_loads_no_pillow() -> None:
    import subprocess

    code = "import sys, fer.see.images; assert 'PIL' not in sys.modules and 'pillow_heif' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
