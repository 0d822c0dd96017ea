"""fer.protobuf against Google's own reading of the same bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import StringStringEntryProto, TensorProto

from fer import protobuf
from fer.protobuf import ProtobufError, number, piece


@given(st.text(max_size=200), st.lists(st.integers(0, 2**63 - 1), max_size=8), st.binary(max_size=400))
def test_what_is_written_google_reads_and_what_google_writes_is_read(name: str, dims: list[int], data: bytes) -> None:
    expected = TensorProto(dims=dims, name=name, raw_data=data)
    written = b"".join(number(1, size) for size in dims) + piece(8, name) + piece(9, data)
    assert written == expected.SerializeToString()
    found = [
        (field, value if isinstance(value, int) else bytes(value)) for field, value in protobuf.fields(written, 99)
    ]
    assert found == [*((1, size) for size in dims), (8, name.encode()), (9, data)]


def test_texts_are_utf8() -> None:
    entry = StringStringEntryProto(key="fer.card", value="π ≈ 3")
    assert piece(1, "fer.card") + piece(2, "π ≈ 3") == entry.SerializeToString()


@pytest.mark.parametrize(
    ("message", "says"),
    [
        (b"\x0a", "a number without an end"),
        (b"\x0a\x05abc", "a piece of 5 bytes where 3 are left"),
        (b"\x0a" + b"\xff" * 9 + b"\x01", "a piece of"),
        (b"\x08" + b"\xff" * 10 + b"\x01", "a number without an end"),
        (b"\x0d\x00\x00\x00\x00", "wire type 5"),
        (b"\x0b", "wire type 3|without an end"),
        (b"\x08\x01" * 10, "more than 9 fields"),
    ],
)
def test_bytes_that_are_no_message_are_refused(message: bytes, says: str) -> None:
    with pytest.raises(ProtobufError, match=says):
        list(protobuf.fields(message, 9))


@pytest.mark.parametrize(
    ("value", "says"), [(3, "a number"), (memoryview(b"abcd"), "4 bytes"), (memoryview(b"\xff"), "not UTF-8")]
)
def test_values_that_are_no_text_are_refused(value: int | memoryview, says: str) -> None:
    with pytest.raises(ProtobufError, match=says):
        protobuf.text(value, 3)
