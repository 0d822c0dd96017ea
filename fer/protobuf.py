"""Writes and parses the small part of Protocol Buffers that our ONNX files use.

Two of the wire types (https://protobuf.dev/programming-guides/encoding): whole numbers and pieces of known length. The
caller decides what a piece means. Standard library only.
"""

from collections.abc import Iterator

Value = int | memoryview

_NUMBER, _PIECE = 0, 2
_LONGEST_NUMBER = 10  # bytes; 64 bits in sevens


class ProtobufError(ValueError):
    """Bytes that are not a message of this kind."""


def number(field: int, value: int) -> bytes:
    """One field that contains a whole number, 0 ≤ value < 2**64."""
    return _varint(field << 3 | _NUMBER) + _varint(value)


def piece(field: int, value: bytes | str) -> bytes:
    """One field that contains bytes, UTF-8 text, or another message."""
    content = value.encode() if isinstance(value, str) else value
    return _varint(field << 3 | _PIECE) + _varint(len(content)) + content


def fields(message: bytes | memoryview, limit: int) -> Iterator[tuple[int, Value]]:
    """Yields each field's number and value in the message's order; pieces are views, so nothing is copied.

    limit: the most fields expected; without it a small file could keep the parser busy for minutes.
    Raises ProtobufError for more fields, another wire type, or a piece that reaches beyond the end.
    """
    view, at = memoryview(message), 0
    for _ in range(limit):
        if at == len(view):
            return
        tag, at = _read_varint(view, at)
        value, at = _read_varint(view, at)
        if tag & 7 == _NUMBER:
            yield tag >> 3, value
        elif tag & 7 == _PIECE:
            if value > len(view) - at:
                raise ProtobufError(f"a piece of {value} bytes where {len(view) - at} are left")
            yield tag >> 3, view[at : at + value]
            at += value
        else:
            raise ProtobufError(f"wire type {tag & 7}; only whole numbers and pieces are expected")
    if at != len(view):
        raise ProtobufError(f"more than {limit} fields in one message")


def text(value: Value, most_bytes: int) -> str:
    """A piece as text. Raises ProtobufError for a number, more bytes than expected, or bytes that are not UTF-8."""
    if isinstance(value, int) or len(value) > most_bytes:
        found = "a number" if isinstance(value, int) else f"{len(value)} bytes"
        raise ProtobufError(f"expected a text of at most {most_bytes} bytes, found {found}")
    try:
        return bytes(value).decode()
    except UnicodeDecodeError:
        raise ProtobufError("a text that is not UTF-8") from None


def _varint(value: int) -> bytes:
    content = bytearray()
    while value > 127:
        content.append(value & 127 | 128)
        value >>= 7
    content.append(value)
    return bytes(content)


def _read_varint(view: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for length, byte in enumerate(view[at : at + _LONGEST_NUMBER]):
        value |= (byte & 127) << 7 * length
        if byte < 128:
            return value, at + length + 1
    raise ProtobufError("a number without an end")
