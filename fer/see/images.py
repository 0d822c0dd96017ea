"""Opens photos in any format that fer.see.formats lists, as upright RGB arrays; refuses broken or too large ones.

Pillow is loaded for the first photo, its HEIC plugin for the first HEIC photo.
"""

import io
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias, Union

import numpy as np

from fer.see.formats import HALVED_MP, LARGEST_MP, LIMITS_IN_WORDS, LIMITS_MP, refusal
from fer.see.notes import First

if TYPE_CHECKING:
    import PIL.Image

ImageSource: TypeAlias = Union[np.ndarray, Path, str, bytes, "PIL.Image.Image"]

_ORIENTATION_TAG = 0x0112
_Turn = Callable[[np.ndarray], np.ndarray]
_TURNS: dict[int, _Turn] = {  # EXIF orientation → upright picture, as a view of the stored one
    2: lambda upright: upright[:, ::-1],
    3: lambda upright: upright[::-1, ::-1],
    4: lambda upright: upright[::-1],
    5: lambda upright: upright.swapaxes(0, 1),
    6: lambda upright: np.rot90(upright, 1),
    7: lambda upright: np.rot90(upright, 2).swapaxes(0, 1),
    8: lambda upright: np.rot90(upright, -1),
}
_STRIP_PIXELS = 2_000_000  # converted at a time: otherwise two more copies of the whole picture would be in memory

_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
# What each of several pictures in a file is, by format. (A JPEG's others are previews or the other eye's view.)
_FIRST: dict[str, First] = {
    **dict.fromkeys(("GIF", "WEBP", "PNG", "AVIF"), "frame"),
    **dict.fromkeys(("TIFF", "HEIF"), "picture"),
}


class ImageError(Exception):
    """A picture that is refused; the message says which (if it has a path), why, and what to do."""


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture file, opened.

    image: RGB uint8 (H, W, 3), upright. scale: the file's sides divided by those of `image`: 1, 2 for a JPEG of more
    than 50 megapixels, or what `longest_px` requires. first: 'frame' if it is the first of an
    animation, 'picture' if the file holds other pictures, else None.
    """

    image: np.ndarray
    scale: float = 1.0
    first: First | None = None


def open_image(source: Path | str | bytes, longest_px: int | None = None) -> np.ndarray:
    """A photo as RGB uint8 (H, W, 3): upright by its EXIF data, alpha on white, 16 bits scaled to 8.

    source: a path, or the content of a file. The format is recognised by the content, not the name. Only the first
    of several pictures in a file is read; `open_picture` tells of it.
    longest_px: pictures with a longer side are shrunk to it; large JPEGs already in the decoder, which saves most of
        the time and memory.

    Raises ImageError if the file is missing, not an image, truncated, or larger than fer.see.formats allows:
    JPEG up to 108 megapixels (more than 50 at half size), most others up to 50. The size is checked in the
    header, before any pixel is decoded.
    """
    return open_picture(source, longest_px).image


def open_picture(source: Path | str | bytes, longest_px: int | None = None) -> Picture:
    """Like `open_image`, but also returns the file's scale and whether it holds several pictures."""
    where = "" if isinstance(source, bytes) else f"{source}: "
    try:
        file = io.BytesIO(source) if isinstance(source, bytes) else open(source, "rb")  # noqa: SIM115 (closed below)
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the path
        raise ImageError(f"{where}cannot be read ({getattr(error, 'strerror', None) or error}).") from error
    with file:
        pillow, formats = _pillow(file.read(12))
        file.seek(0)
        try:
            return _opened(pillow, file, formats, where, longest_px)
        except ImageError:
            raise
        except pillow.UnidentifiedImageError as error:
            raise ImageError(f"{where}not an image that can be opened. Use JPEG, PNG, WebP, AVIF or HEIC.") from error
        except (pillow.DecompressionBombError, pillow.DecompressionBombWarning) as error:
            raise ImageError(_too_large(where, f"more than {LARGEST_MP} megapixels")) from error
        except MemoryError as error:
            raise ImageError(f"{where}too large for this machine's memory. Make it smaller first.") from error
        except Exception as error:  # Pillow's decoders raise all kinds of errors for a broken file
            raise ImageError(
                f"{where}broken or cut off ({error}). Copy or download it again, or save it again as JPEG or PNG."
            ) from error


def as_picture(source: ImageSource) -> Picture:
    """Opens an image in any accepted form, as RGB uint8 (H, W, 3) or, for a grey array, uint8 (H, W).

    source: an array of that kind; a path or the content of a file, as for `open_image`; a Pillow image, which is
        turned upright by its EXIF data.

    Raises ImageError for a file that is refused. For anything else raises TypeError or ValueError, whose message says
    what was found.
    """
    if isinstance(source, np.ndarray):
        return Picture(check_image(source))
    if isinstance(source, Path | str | bytes):
        return open_picture(source)
    image_of_pillow = getattr(sys.modules.get("PIL.Image"), "Image", None)  # without Pillow loaded it is none
    if image_of_pillow is not None and isinstance(source, image_of_pillow):
        return Picture(_of_pillow(source))
    raise TypeError(
        f"an image must be a numpy array, a path, the bytes of a file or an image of Pillow's, "
        f"got {type(source).__name__}"
    )


def _of_pillow(image: "PIL.Image.Image") -> np.ndarray:
    if 0 in image.size:
        raise ValueError(f"image must not be empty, got {image.width} × {image.height} pixels")
    try:
        return to_array(image)
    except OSError as error:  # Pillow decodes a file when its pixels are asked for
        raise ImageError(f"Pillow cannot decode this image ({error}).") from error


def check_image(image: np.ndarray) -> np.ndarray:
    """The image as a contiguous array. Raises TypeError or ValueError, whose message says what was found."""
    if not isinstance(image, np.ndarray):
        raise TypeError(f"image must be a numpy array, got {type(image).__name__}")
    if image.dtype != np.uint8:
        raise TypeError(f"image must be uint8, 0..255, got {image.dtype}")
    if not (image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 3)) or image.size == 0:
        raise ValueError(f"image must be RGB (H, W, 3) or grey (H, W) and not empty, got shape {image.shape}")
    return np.ascontiguousarray(image)


def _opened(pillow: Any, file: BinaryIO, formats: tuple[str, ...], where: str, longest_px: int | None) -> Picture:
    with pillow.open(file, formats=formats) as picture:
        if why := refusal(picture, _content(file) if picture.format in ("JPEG", "MPO") else b""):
            raise ImageError(_too_large(where, why))
        width, height = picture.size
        if width * height > HALVED_MP * 1e6:
            picture.draft(None, (width // 2, height // 2))  # JPEG only; the resulting sides are rounded up
        elif longest_px and max(width, height) > longest_px:
            part = longest_px / max(width, height)
            picture.draft(None, (max(1, round(width * part)), max(1, round(height * part))))  # at least that large
        first = _FIRST.get(picture.format) if _holds_several(picture) else None
        image = to_array(picture)
        if longest_px:
            from fer.see.detect import shrink

            image = shrink(image, longest_px)
        return Picture(image, max(width, height) / max(image.shape[:2]), first)


def _holds_several(picture: Any) -> bool:
    """Whether the file holds further pictures. They are not read: a small TIFF can have millions."""
    if picture.format == "TIFF":
        return bool(picture.tag_v2.next)
    return bool(getattr(picture, "is_animated", False))


def _content(file: BinaryIO) -> bytes:
    """The content of the whole file; its position is restored."""
    place = file.tell()
    file.seek(0)
    content = file.read()
    file.seek(place)
    return content


def _too_large(where: str, why: str) -> str:
    return f"{where}{why}. Make it smaller first. Read are {LIMITS_IN_WORDS}."


def _pillow(head: bytes) -> tuple[Any, tuple[str, ...]]:
    """PIL.Image, set up for untrusted files, and the formats to try for a file with these first 12 bytes."""
    from PIL import Image

    # Pillow itself only warns between its limit and twice that; our own check refuses, with our own message.
    Image.MAX_IMAGE_PIXELS = LARGEST_MP * 10**6
    warnings.filterwarnings("error", category=Image.DecompressionBombWarning)
    warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")  # odd metadata, which no user can fix
    if head[4:8] == b"ftyp" and head[8:12] in _HEIF_BRANDS:
        import pillow_heif

        pillow_heif.register_heif_opener()
        return Image, ("HEIF", "AVIF")
    return Image, tuple(form for form in LIMITS_MP if form != "HEIF")


def to_array(picture: "PIL.Image.Image") -> np.ndarray:
    """A Pillow image of any mode as upright RGB uint8 (H, W, 3). Decodes it if it is not decoded yet."""
    picture.load()
    turn: _Turn = _TURNS.get(_orientation(picture), lambda upright: upright)
    upright = np.empty((*turn(np.empty((picture.height, picture.width))).shape, 3), np.uint8)
    stored = turn(upright)
    scale = _grey_scale(picture)
    for top, strip in _strips(picture):
        stored[top : top + strip.height] = _to_rgb(strip, scale)
    return upright


def _strips(picture: "PIL.Image.Image") -> "Iterator[tuple[int, PIL.Image.Image]]":
    rows = max(1, _STRIP_PIXELS // picture.width)
    if rows >= picture.height:
        yield 0, picture
        return
    for top in range(0, picture.height, rows):
        strip = picture.crop((0, top, picture.width, min(top + rows, picture.height)))
        if "transparency" in picture.info:
            strip.info["transparency"] = picture.info["transparency"]
        yield top, strip


def _orientation(picture: "PIL.Image.Image") -> int:
    """EXIF's orientation, 1..8; call it after decoding, since TIFF and HEIC turn the pixels themselves."""
    try:
        return int(picture.getexif().get(_ORIENTATION_TAG, 1))
    except Exception:  # broken EXIF data raises many kinds of errors and is no reason to refuse the photo
        return 1


def _to_rgb(picture: "PIL.Image.Image", grey_scale: float | None) -> np.ndarray:
    """RGB uint8 (H, W, 3). grey_scale: the factor for grey of more than 8 bits; None for 8 bits."""
    from PIL import Image

    if grey_scale is not None:
        grey = np.nan_to_num(np.asarray(picture).astype(np.float32)) * grey_scale
        return np.repeat(np.clip(np.rint(grey), 0, 255).astype(np.uint8)[:, :, None], 3, axis=2)
    if picture.has_transparency_data:
        rgba = picture.convert("RGBA")
        picture = Image.new("RGB", rgba.size, "white")
        picture.paste(rgba, mask=rgba.getchannel("A"))
    return np.asarray(picture if picture.mode == "RGB" else picture.convert("RGB"))


def _grey_scale(picture: "PIL.Image.Image") -> float | None:
    """The factor to 8 bits for grey of a higher depth: scales 0..65535, and 0..1 in floating point; keeps 0..255."""
    if not (picture.mode.startswith("I;16") or picture.mode in ("I", "F")):
        return None
    brightest = max(float(np.nan_to_num(np.asarray(strip).astype(np.float32)).max()) for _, strip in _strips(picture))
    return 1 / 257 if brightest > 255 else 255.0 if brightest <= 1 else 1.0
