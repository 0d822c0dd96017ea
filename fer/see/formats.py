"""Which picture formats are read (recognised by content, never by name) and up to which size.

Each limit is the largest at which any file of that format, even a malicious one, opens within 3 s and 700 MB on two
cores (tests/see/test_picture_bombs.py measures it). It is checked against the declared size, before any pixel
is decoded.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import PIL.Image

# Pillow's name of a format → megapixels. No format that may run code or other programs (EPS starts Ghostscript).
LIMITS_MP = {
    "JPEG": 108,  # the largest phone cameras
    "PNG": 50,
    "GIF": 50,
    "BMP": 50,
    "PPM": 50,
    "TIFF": 50,
    "HEIF": 50,  # phone cameras have 48
    "WEBP": 25,  # the decoder uses 12 bytes a pixel before Pillow's 4
    "AVIF": 25,  # 10 bits and full colour make 6 bytes a pixel
    "JPEG2000": 12,  # the slowest decoder
}
LARGEST_MP = max(LIMITS_MP.values())
HALVED_MP = 50  # a larger JPEG is decoded at half size
LIMITS_IN_WORDS = (
    f"JPEG up to {LIMITS_MP['JPEG']} megapixels (beyond {HALVED_MP} it is read at half its sides), PNG, TIFF, GIF, "
    f"BMP, PPM and HEIC up to {LIMITS_MP['PNG']}, WebP and AVIF up to {LIMITS_MP['WEBP']}, "
    f"JPEG 2000 up to {LIMITS_MP['JPEG2000']}"
)
LONGEST_SIDE_PX = 65_535  # JPEG's own limit; a strip of 50 million by 1 would have to be searched in 31,000 tiles
_BUFFERED_MP = 150  # times channels, of a JPEG in several scans: all its coefficients are kept, 2 bytes each
_SCANNED_MP = 1000  # megapixels times scans: each scan goes over them all; 20 scans of the largest
_SLOW_PPM_MP = 2  # for the kinds that Pillow decodes in Python
_TIFF_TILE_TAGS = (322, 323)  # TileWidth, TileLength


def refusal(picture: "PIL.Image.Image", head: bytes) -> str | None:
    """Why a picture is too large to be decoded, as text; None if it is not.

    picture: opened, not decoded. head: the file's content, if it is a JPEG.
    """
    width, height = picture.size
    if max(width, height) > LONGEST_SIDE_PX:
        return f"{width} × {height} has a side of more than {LONGEST_SIDE_PX:,} pixels"
    form = "JPEG" if picture.format == "MPO" else str(picture.format)
    limit_mp: float = LIMITS_MP.get(form, min(LIMITS_MP.values()))
    kind = {"HEIF": "HEIC", "WEBP": "WebP", "JPEG2000": "JPEG 2000"}.get(form, form)
    if form == "JPEG" and (scans := count_scans(head)) > 1:
        channels = max(3, len(picture.getbands()))
        limit_mp, kind = min(_BUFFERED_MP / channels, _SCANNED_MP / scans), f"JPEG in {scans} scans"
    if form == "PPM" and any(tile[0] != "raw" for tile in getattr(picture, "tile", ())):
        limit_mp, kind = _SLOW_PPM_MP, "PPM in plain text or of an odd depth"
    if form == "TIFF":  # a tile is decoded whole, however small the picture
        tile = [int(picture.getexif().get(tag, 1)) for tag in _TIFF_TILE_TAGS]
        width, height = max((width, height), tile, key=lambda size: size[0] * size[1])
    megapixels = width * height / 1e6
    if megapixels <= limit_mp:
        return None
    return f"{width} × {height} is {megapixels:.0f} megapixels, the limit for {kind} is {limit_mp:.3g}"


def count_scans(jpeg: bytes) -> int:
    """How many scans the first picture of a JPEG file has; 1 if all its colours are in one.

    Neither marker can occur inside compressed data, where 0xFF is followed by 0 or a restart marker.
    """
    place = 2
    while place + 4 <= len(jpeg) and jpeg[place] == 0xFF and jpeg[place + 1] != 0xDA:
        place += 1 if jpeg[place + 1] == 0xFF else 2 + int.from_bytes(jpeg[place + 2 : place + 4], "big")
    end = jpeg.find(b"\xff\xd9", place)
    return max(1, jpeg.count(b"\xff\xda", place, end if end >= 0 else len(jpeg)))
