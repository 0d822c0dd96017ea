"""Opens photos of any kind that Pillow reads, as upright RGB arrays; refuses what is broken or too large.

Pillow is loaded by the first photo, its HEIC plugin by the first HEIC photo.
"""

import io
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import PIL.Image

MAX_PIXELS = 108_000_000  # the largest phone cameras; 324 MB as RGB

# No format that runs code or other programs (EPS starts Ghostscript). HEIF is added where a file asks for it.
_FORMATS = ("JPEG", "PNG", "GIF", "BMP", "PPM", "WEBP", "TIFF", "AVIF", "JPEG2000")

_ORIENTATION_TAG = 0x0112
_TURNS = {  # EXIF orientation → the member of PIL.Image.Transpose that sets the photo upright
    2: "FLIP_LEFT_RIGHT",
    3: "ROTATE_180",
    4: "FLIP_TOP_BOTTOM",
    5: "TRANSPOSE",
    6: "ROTATE_270",
    7: "TRANSVERSE",
    8: "ROTATE_90",
}

_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")


class ImageError(Exception):
    """A picture that is refused; the message says which (where it has a path), why, and what to do."""


def open_image(source: Path | str | bytes, longest_px: int | None = None) -> np.ndarray:
    """A photo as RGB uint8 (H, W, 3): upright by its EXIF data, alpha on white, 16 bits scaled to 8.

    source: a path, or the content of a file. Of an animation the first frame is read.
    longest_px: photos with a longer side are shrunk to it; large JPEGs already in the decoder, which
        saves most of the time and memory.

    Raises ImageError where the file is missing, no image, truncated, or larger than MAX_PIXELS. The
    size is checked in the header, before any pixel is decoded.
    """
    where = "" if isinstance(source, bytes) else f"{source}: "
    try:
        file = io.BytesIO(source) if isinstance(source, bytes) else open(source, "rb")  # noqa: SIM115 (closed below)
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the path
        raise ImageError(f"{where}cannot be read ({getattr(error, 'strerror', None) or error}).") from error
    with file:
        pillow, formats = _pillow(file.read(12))
        file.seek(0)
        try:
            with pillow.open(file, formats=formats) as picture:
                _check_size(picture, where)
                return _pixels(picture, longest_px)
        except ImageError:
            raise
        except pillow.UnidentifiedImageError as error:
            raise ImageError(f"{where}not an image that can be opened. Use JPEG, PNG, WebP, AVIF or HEIC.") from error
        except (pillow.DecompressionBombError, pillow.DecompressionBombWarning) as error:
            raise ImageError(f"{where}more than {MAX_PIXELS // 10**6} megapixels. Make it smaller first.") from error
        except MemoryError as error:
            raise ImageError(f"{where}too large for this machine's memory. Make it smaller first.") from error
        except Exception as error:  # Pillow's decoders raise whatever their parsing of a broken file meets
            raise ImageError(
                f"{where}broken or cut off ({error}). Copy or download it again, or save it anew as JPEG or PNG."
            ) from error


def _pillow(head: bytes) -> tuple[Any, tuple[str, ...]]:
    """PIL.Image, set up for files from strangers, and the formats to try for a file with these first 12 bytes."""
    from PIL import Image

    # Pillow itself only warns between its limit and twice that; our own check refuses with our words.
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    warnings.filterwarnings("error", category=Image.DecompressionBombWarning)
    warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")  # odd metadata: nothing a user can mend
    if head[4:8] == b"ftyp" and head[8:12] in _HEIF_BRANDS:
        import pillow_heif

        pillow_heif.register_heif_opener()
        return Image, (*_FORMATS, "HEIF")
    return Image, _FORMATS


def _check_size(picture: "PIL.Image.Image", where: str) -> None:
    width, height = picture.size
    if width * height > MAX_PIXELS:
        raise ImageError(
            f"{where}{width} × {height} is {width * height / 1e6:.0f} megapixels, "
            f"the limit is {MAX_PIXELS // 10**6}. Make it smaller first."
        )


def _pixels(picture: "PIL.Image.Image", longest_px: int | None) -> np.ndarray:
    from PIL import Image

    if longest_px is not None:
        scale = longest_px / max(picture.size)
        # JPEG only: decodes at 1/2, 1/4 or 1/8, never below this size; nothing elsewhere.
        picture.draft(None, (max(1, round(picture.width * scale)), max(1, round(picture.height * scale))))
    rgb = _to_rgb(picture)
    if longest_px is not None:
        rgb.thumbnail((longest_px, longest_px), reducing_gap=2.0)
    turn = _TURNS.get(_orientation(picture))
    return np.array(rgb if turn is None else rgb.transpose(Image.Transpose[turn]))


def _orientation(picture: "PIL.Image.Image") -> int:
    """EXIF's orientation, 1..8; call it after decoding, since TIFF and HEIC turn the pixels themselves."""
    try:
        return int(picture.getexif().get(_ORIENTATION_TAG, 1))
    except Exception:  # broken EXIF data raises many kinds of error, and is no reason to refuse the photo
        return 1


def _to_rgb(picture: "PIL.Image.Image") -> "PIL.Image.Image":
    """RGB, 8 bits. Decodes the picture."""
    from PIL import Image

    picture.load()
    if picture.mode.startswith("I;16") or picture.mode in ("I", "F"):
        return Image.fromarray(_to_8_bits(np.asarray(picture))).convert("RGB")
    if picture.has_transparency_data:
        rgba = picture.convert("RGBA")
        white = Image.new("RGB", rgba.size, "white")
        white.paste(rgba, mask=rgba.getchannel("A"))
        return white
    return picture.convert("RGB")


def _to_8_bits(grey: np.ndarray) -> np.ndarray:
    """Grey of more than 8 bits as uint8: 0..65535 is scaled, as is 0..1 of floating point; 0..255 is kept."""
    grey = np.nan_to_num(grey.astype(np.float32))
    brightest = grey.max()
    if brightest > 255:
        grey /= 257  # 65535 / 255
    elif brightest <= 1:
        grey *= 255
    return np.clip(np.rint(grey), 0, 255).astype(np.uint8)
