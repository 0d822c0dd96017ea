"""Video files of every kind in, upright frames with their times out; bad ones refused."""

import io
import re
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
import pytest

from fer.see import videofile, videojoined
from fer.see.faces import Face
from fer.see.videofile import Frame, VideoError, VideoFile
from tests.fakes.clips import RATE, clip, greys, lying, number_in, numbered, shown_by

AV1 = {"preset": "8", "crf": "10"}
HEVC = {"x265-params": "log-level=none"}
CODECS = {  # name: (PyAV's encoder, pixels, options)
    "H.264": ("libx264", "yuv420p", {}),
    "H.264 without B-frames": ("libx264", "yuv420p", {"bf": "0"}),
    "H.264 interlaced": ("libx264", "yuv420p", {"x264-params": "interlaced=1"}),
    "H.264 10 bit": ("libx264", "yuv444p10le", {}),
    "HEVC": ("libx265", "yuv420p", HEVC),
    "HEVC 10 bit": ("libx265", "yuv420p10le", HEVC),
    "VP8": ("libvpx", "yuv420p", {"auto-alt-ref": "1", "lag-in-frames": "16"}),
    "VP8 alpha": ("libvpx", "yuva420p", {"auto-alt-ref": "0"}),
    "VP9": ("libvpx-vp9", "yuv420p", {}),
    "VP9 alpha": ("libvpx-vp9", "yuva420p", {}),
    "AV1": ("libsvtav1", "yuv420p", AV1),
    "AV1 10 bit": ("libsvtav1", "yuv420p10le", AV1),
    "MPEG-4": ("mpeg4", "yuv420p", {"bf": "2"}),
    "MPEG-2": ("mpeg2video", "yuv420p", {"bf": "2"}),
    "MPEG-2 interlaced": ("mpeg2video", "yuv420p", {"flags": "+ildct+ilme"}),
    "MPEG-1": ("mpeg1video", "yuv420p", {"bf": "2"}),
    "Motion JPEG": ("mjpeg", "yuvj420p", {}),
    "ProRes": ("prores_ks", "yuv422p10le", {}),
    "ProRes alpha": ("prores_ks", "yuva444p10le", {"profile": "4"}),
    "FFV1": ("ffv1", "yuv420p", {}),
    "FFV1 alpha": ("ffv1", "bgra", {}),
    "QuickTime animation": ("qtrle", "rgb24", {}),
    "WMV": ("wmv2", "yuv420p", {}),
    "Flash": ("flv", "yuv420p", {}),
    "MS MPEG-4": ("msmpeg4", "yuv420p", {}),
}
H26X = ("H.264", "H.264 without B-frames", "H.264 interlaced", "H.264 10 bit")
CONTAINERS = {
    "mp4": (*H26X, "HEVC", "HEVC 10 bit", "VP9", "AV1", "AV1 10 bit", "MPEG-4", "MPEG-2", "Motion JPEG"),
    "mov": ("H.264", "HEVC", "MPEG-4", "Motion JPEG", "ProRes", "ProRes alpha", "QuickTime animation"),
    "3gp": ("H.264", "MPEG-4"),
    "matroska": (*H26X, "HEVC", "VP8", "VP9", "AV1", "MPEG-4", "MPEG-2", "Motion JPEG", "ProRes", "FFV1", "FFV1 alpha"),
    "webm": ("VP8", "VP8 alpha", "VP9", "VP9 alpha", "AV1", "AV1 10 bit"),
    "avi": (*H26X, "MPEG-4", "MPEG-2", "Motion JPEG", "FFV1", "MS MPEG-4"),
    "mpegts": (*H26X, "HEVC", "MPEG-2", "MPEG-2 interlaced"),
    "mpeg": ("MPEG-1", "MPEG-2", "MPEG-2 interlaced"),
    "vob": ("MPEG-2",),
    "flv": ("H.264", "Flash"),
    "asf": ("WMV", "H.264", "MS MPEG-4"),
    "ogg": ("VP8",),
    "mxf": ("MPEG-2",),
    "nut": ("H.264", "FFV1"),
    "ivf": ("VP8", "VP9", "AV1"),
    "h264": ("H.264",),  # from here on streams without a container
    "hevc": ("HEVC",),
    "m4v": ("MPEG-4",),
    "mpeg1video": ("MPEG-1",),
    "mpeg2video": ("MPEG-2",),
    "obu": ("AV1",),
}
COUNT, FILM_RATE = 30, 25  # MPEG-1 knows no 10 frames a second


def frames_of(content: bytes | Path) -> list[Frame]:
    with closing(VideoFile(content)) as file:
        return [part for part in file.read() if isinstance(part, Frame)]


def numbers(frames: list[Frame]) -> list[int]:
    return [number_in(frame.image) for frame in frames]


def brightness(frame: Frame) -> float:
    """Mean luma as 0..255 grey: BT.601's limited range undone."""
    planes = frame.planes()
    return (float(planes[: planes.shape[0] * 2 // 3].mean()) - 16) * 255 / 219


def film(
    container: str, name: str, count: int = COUNT, size: tuple[int, int] = (96, 64), pixel: Fraction | None = None
) -> bytes:
    codec, pixels, options = CODECS[name]
    file = io.BytesIO()
    with av.open(file, "w", format=container) as out:
        stream = cast("av.VideoStream", out.add_stream(codec, FILM_RATE, options=options))
        (stream.width, stream.height), stream.pix_fmt = size, pixels
        if pixel:
            stream.codec_context.sample_aspect_ratio = pixel
        for picture in numbered(count, size):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
        out.mux(stream.encode(None))
    return file.getvalue()


def fragments(count: int) -> bytes:
    """MP4 in fragments, as it is streamed."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4", options={"movflags": "frag_keyframe+empty_moov"}) as out:
        stream = out.add_stream("libx264", FILM_RATE, options={"g": "5"})
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for picture in numbered(count):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
        out.mux(stream.encode(None))
    return file.getvalue()


def told(content: bytes) -> list[str]:
    file = VideoFile(content)
    assert [part for part in file.read() if isinstance(part, Frame)]
    return file.left_out


def assert_right_frames_at_right_times(frames: list[Frame], times_s: list[float]) -> None:
    """Each frame's own number, its time within half a frame."""
    assert numbers(frames) == list(range(len(times_s)))
    start_s = frames[0].time_s
    assert [f.time_s - start_s for f in frames] == pytest.approx(times_s, abs=0.5 / FILM_RATE)


@pytest.mark.parametrize(("container", "name"), [(c, name) for c, names in CONTAINERS.items() for name in names])
def test_every_frame_comes_at_its_time(container: str, name: str) -> None:
    file = VideoFile(film(container, name))
    frames = [part for part in file.read() if isinstance(part, Frame)]
    assert_right_frames_at_right_times(frames, [i / FILM_RATE for i in range(COUNT)])
    assert frames[0].time_s < 0.5 / FILM_RATE
    assert file.left_out == []


def test_every_container_that_is_allowed_is_read() -> None:
    read = {videofile._opened(io.BytesIO(film(c, names[0], 10))).format.name for c, names in CONTAINERS.items()}
    needs_a_camera = {"dv"}  # one size, one rate
    assert {name for name in videofile.CONTAINERS if not any(name in r.split(",") for r in read)} == needs_a_camera


@pytest.mark.parametrize("size", [(97, 65), (98, 63), (130, 66), (65, 97)])
@pytest.mark.parametrize(("container", "name"), [("matroska", "FFV1"), ("mov", "QuickTime animation"), ("webm", "VP9")])
def test_odd_sizes(container: str, name: str, size: tuple[int, int]) -> None:
    file = VideoFile(film(container, name, 5, size))
    assert (file.width_px, file.height_px) == size
    frames = [part for part in file.read() if isinstance(part, Frame)]
    assert numbers(frames) == list(range(5))
    assert all(abs(a - b) <= 1 for a, b in zip(file.frame_size, size, strict=True))


@pytest.mark.parametrize(("container", "codec"), [("mp4", "libx264"), ("matroska", "libx264"), ("webm", "libvpx-vp9")])
def test_a_variable_rate_keeps_its_times(container: str, codec: str) -> None:
    times_s = [0.0, 0.1, 0.5, 0.52, 0.54, 2.0, 7.5, 7.6, 7.7, 7.8]
    frames = frames_of(clip(numbered(10), container, codec, times_s=times_s))
    assert numbers(frames) == list(range(10))
    assert [f.time_s for f in frames] == pytest.approx(times_s, abs=1e-3)


@pytest.mark.parametrize("container", ["mp4", "mpegts", "matroska"])
def test_a_late_start_is_late(container: str) -> None:
    """The sound begins at 0, the picture three seconds later."""
    times_s = [3 + i / 10 for i in range(5)]
    frames = frames_of(clip(numbered(5), container, times_s=times_s, sound="aac"))
    assert numbers(frames) == list(range(5))
    assert [f.time_s for f in frames] == pytest.approx(times_s, abs=0.06)  # a frame of AAC before 0


@pytest.mark.parametrize(("lengths", "jumps"), [((20, 20), "once"), ((5, 5, 5), "2 times"), ((12, 30), "once")])
def test_joined_transport_streams_go_on(lengths: tuple[int, ...], jumps: str) -> None:
    parts = [film("mpegts", "H.264", n) for n in lengths]
    file = VideoFile(b"".join(parts))
    frames = [part for part in file.read() if isinstance(part, Frame)]
    assert numbers(frames) == [i for n in lengths for i in range(n)]
    assert np.diff([f.time_s for f in frames]) == pytest.approx(1 / FILM_RATE, abs=2.5 / FILM_RATE)
    assert frames[-1].time_s == pytest.approx((sum(lengths) - 1) / FILM_RATE, abs=3 / FILM_RATE)
    assert file.left_out == [f"The file's clock jumps {jumps}; the time goes on without a gap there."]


@pytest.mark.parametrize("container", ["matroska", "webm", "avi", "mpeg", "vob", "h264", "m4v", "mpeg2video", "obu"])
def test_files_joined_byte_by_byte_are_read_on(container: str) -> None:
    name = CONTAINERS[container][0]
    file = VideoFile(film(container, name, 20) + film(container, name, 25))
    frames = [part for part in file.read() if isinstance(part, Frame)]
    assert numbers(frames) == [*range(20), *range(25)]
    assert frames[-1].time_s == pytest.approx(44 / FILM_RATE, abs=3 / FILM_RATE)
    assert videojoined.JOINED not in file.left_out


@pytest.mark.parametrize("cut", [1.0, 0.7])
@pytest.mark.parametrize("container", ["mp4", "mov", "3gp", "flv", "asf", "nut", "ivf", "mxf", "mp4 fragments"])
def test_a_second_file_that_is_not_read_is_told(container: str, cut: float) -> None:
    def made(count: int) -> bytes:
        return fragments(count) if container == "mp4 fragments" else film(container, CONTAINERS[container][0], count)

    assert told(made(20)) == []
    second = made(25)
    try:
        assert videojoined.JOINED in told(made(20) + second[: round(cut * len(second))])
    except VideoError:
        assert container in ("mxf", "mp4 fragments")  # FFmpeg cannot even open some


@pytest.mark.parametrize(("container", "name"), [("matroska", "H.264"), ("avi", "H.264")])
def test_a_second_file_without_a_whole_picture_is_told(container: str, name: str) -> None:
    second = film(container, name, 25)
    assert videojoined.JOINED in told(film(container, name, 20) + second[: len(second) // 2])


def test_a_second_file_in_another_container_is_told() -> None:
    assert videojoined.JOINED in told(film("matroska", "H.264") + film("mp4", "H.264"))


@pytest.mark.parametrize("container", [*CONTAINERS])
def test_what_is_no_video_behind_a_file_is_not_told_as_one(container: str, rng: np.random.Generator) -> None:
    """Padding, a signature, tags."""
    content = film(container, CONTAINERS[container][0]) + b"TAG" + rng.bytes(5000)
    assert videojoined.JOINED not in told(content)


def test_a_file_full_of_a_containers_name_is_looked_at_no_longer_than_any_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked = []
    monkeypatch.setattr(re, "search", lambda *_: looked.append(1))
    assert told(film("mp4", "H.264", 5) + b"ftyp" * 100_000) == []
    assert len(looked) == videojoined._MOST_NAMES


def test_a_head_that_lies_across_two_pieces_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(videojoined, "_PIECE", 64)
    for padding in range(0, 130, 7):
        assert videojoined.JOINED in told(film("mp4", "H.264", 5) + bytes(padding) + film("mp4", "H.264", 5))


def test_a_long_step_of_a_broadcasts_clock_is_no_pause() -> None:
    late = clip(numbered(5, first=5), "mpegts", times_s=[100 + i / 10 for i in range(5)])
    frames = frames_of(clip(numbered(5), "mpegts") + late)
    assert numbers(frames) == list(range(10))
    assert frames[-1].time_s < 2


def test_a_long_pause_of_a_slide_show_is_one() -> None:
    frames = frames_of(clip(numbered(3), "matroska", times_s=[0, 60, 120]))
    assert [f.time_s for f in frames] == pytest.approx([0, 60, 120])


@pytest.mark.parametrize("every_s", [11, 60, 400])
def test_pictures_that_hold_long_and_are_stored_out_of_order_are_no_jump(
    every_s: int, rng: np.random.Generator
) -> None:
    """The first packets of Matroska have no time but that of presentation; a still picture is stored with B-frames."""
    times_s = [every_s * i for i in range(3)]
    still = rng.integers(0, 256, (64, 96, 3), np.uint8)
    content = clip([still] * 3, "matroska", times_s=times_s)
    with av.open(io.BytesIO(content)) as stored:
        assert [packet.pts for packet in stored.demux(video=0)][:3] == [0, 2000 * every_s, 1000 * every_s]
    file = VideoFile(content)
    assert [f.time_s for f in file.read() if isinstance(f, Frame)] == pytest.approx(times_s)
    assert file.left_out == []


def test_a_stream_cut_at_its_start_says_what_is_missing() -> None:
    whole = film("mpegts", "H.264", 60)
    file = VideoFile(whole[188 * 8 :])
    [*frames] = (part for part in file.read() if isinstance(part, Frame))
    assert frames
    assert "left out" in " ".join(file.left_out)


@pytest.mark.parametrize("size", [(1920, 1080), (2562, 1442), (720, 1280), (50, 46)])
def test_large_frames_are_shrunk_to_even_sides(size: tuple[int, int]) -> None:
    file = VideoFile(clip(greys(2, size)))
    assert (file.width_px, file.height_px) == size
    width, height = file.frame_size
    assert max(width, height) <= videofile.LONGEST_PX
    assert width % 2 == height % 2 == 0
    assert width / height == pytest.approx(size[0] / size[1], rel=0.02)
    [first, _] = [part for part in file.read() if isinstance(part, Frame)]
    assert first.planes().shape == (height * 3 // 2, width)
    assert first.image.shape == (height, width, 3)


CORNER = np.full((48, 64, 3), 60, np.uint8)
CORNER[:12, :16] = 220  # a bright left top corner
WAYS = {  # display matrix → what is stored so that CORNER is shown
    (0, 1, -1, 0): np.rot90(CORNER),
    (-1, 0, 0, -1): CORNER[::-1, ::-1],
    (0, -1, 1, 0): np.rot90(CORNER, -1),
    (-1, 0, 0, 1): CORNER[:, ::-1],
    (1, 0, 0, -1): CORNER[::-1],
    (0, 1, 1, 0): CORNER.swapaxes(0, 1),
    (0, -1, -1, 0): CORNER[::-1, ::-1].swapaxes(0, 1),
}


@pytest.mark.parametrize("matrix", WAYS)
def test_a_display_matrix_turns_and_mirrors(matrix: tuple[int, int, int, int]) -> None:
    file = VideoFile(shown_by(matrix, clip([np.ascontiguousarray(WAYS[matrix])] * 2)))
    assert (file.width_px, file.height_px) == file.frame_size == (64, 48)
    [first, _] = [part for part in file.read() if isinstance(part, Frame)]
    for picture in (first.image[..., 0], first.planes()[:48]):
        corners = picture[[2, 2, -3, -3], [2, -3, 2, -3]]
        assert corners[0] > 180
        assert (corners[1:] < 100).all()


def changing(*sizes: tuple[int, int]) -> bytes:
    """WebM whose frames change size, with a bright disc half as high as they are in the middle."""
    file = io.BytesIO()
    with av.open(file, "w", format="webm") as out:
        stream = out.add_stream("libvpx", RATE)
        (stream.width, stream.height), stream.pix_fmt = sizes[0], "yuv420p"
        packets = []
        for part, size in enumerate(sizes):
            encoder = av.CodecContext.create("libvpx", "w")
            (encoder.width, encoder.height), encoder.pix_fmt = size, "yuv420p"
            encoder.time_base, encoder.framerate = Fraction(1, RATE), Fraction(RATE)
            y, x = np.ogrid[: size[1], : size[0]]
            disc = (x - size[0] / 2) ** 2 + (y - size[1] / 2) ** 2 < (size[1] / 4) ** 2
            for i in range(3):
                frame = av.VideoFrame.from_ndarray(np.where(disc[..., None], 220, 60).repeat(3, 2).astype(np.uint8))
                frame.pts, frame.time_base = 3 * part + i, Fraction(1, RATE)
                packets += encoder.encode(frame)
            packets += encoder.encode(None)
        for packet in packets:
            packet.stream = stream
            out.mux(packet)
    return file.getvalue()


def bright_box(picture: np.ndarray) -> tuple[float, float, float, float]:
    rows, columns = np.nonzero(picture > 150)
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


@pytest.mark.parametrize("other", [(160, 320), (640, 360), (100, 100), (80, 44)])
def test_a_size_that_changes_keeps_its_shape(other: tuple[int, int]) -> None:
    frames = frames_of(changing((320, 180), other))
    assert [f.image.shape[:2] for f in frames] == [(180, 320)] * 3 + [other[::-1]] * 3
    scale = min(320 / other[0], 180 / other[1])
    for frame in frames[3:]:
        left, top, right, bottom = bright_box(frame.planes()[:180])
        assert right - left == pytest.approx(bottom - top, abs=5)  # still a disc
        assert bottom - top == pytest.approx(other[1] / 2 * scale, abs=5)  # whole, and as large as fits
        assert ((left + right) / 2, (top + bottom) / 2) == pytest.approx((160, 90), abs=3)
        face = frame.on_canvas(Face(bright_box(frame.image[..., 0]), 0.9, "yunet"))
        assert face.box == pytest.approx((left, top, right, bottom), abs=5)


@pytest.mark.parametrize(
    ("container", "codec"), [("mp4", "libx264"), ("matroska", "libx264"), ("mpegts", "mpeg2video")]
)
def test_pixels_that_are_not_square_are_made_so(container: str, codec: str) -> None:
    """Anamorphic: 64 × 48 stored, 16:9 shown."""
    file = io.BytesIO()
    with av.open(file, "w", format=container) as out:
        stream = cast("av.VideoStream", out.add_stream(codec, 25))
        (stream.width, stream.height), stream.pix_fmt = (64, 48), "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(4, 3)
        for picture in greys(10):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
        out.mux(stream.encode(None))
    video = VideoFile(file.getvalue())
    assert (video.width_px, video.height_px) == (85, 48)
    assert frames_of(file.getvalue())[0].image.shape == (48, 86, 3)


@pytest.mark.parametrize("pixels", [(Fraction(1), Fraction(4, 3)), (Fraction(4, 3), Fraction(1))])
@pytest.mark.parametrize(
    ("container", "name"),
    [
        ("mpegts", "MPEG-2"),
        ("mpegts", "MPEG-2 interlaced"),
        ("mpegts", "H.264"),
        ("mpegts", "HEVC"),
        ("mpeg", "MPEG-2"),
        ("mpeg2video", "MPEG-2"),
        ("h264", "H.264"),
        ("m4v", "MPEG-4"),
    ],
)
def test_pixels_that_change_their_shape_alone_are_made_square(
    container: str, name: str, pixels: tuple[Fraction, Fraction]
) -> None:
    """A broadcast goes from 4:3 to 16:9 and back: as many pixels as before, each of another width. The decoder holds
    some frames from before the change back until after it."""
    parts = [film(container, name, pixel=pixel) for pixel in pixels]
    before, after = ({frame.image.shape[1] for frame in frames_of(part)} for part in parts)
    assert len(before) == len(after) == 1
    assert before != after
    frames = frames_of(b"".join(parts))
    assert numbers(frames) == [*range(COUNT)] * 2
    assert {frame.image.shape[1] for frame in frames[:COUNT]} == before
    assert {frame.image.shape[1] for frame in frames[COUNT:]} == after


@pytest.mark.parametrize("inside", ["1/1", "3/2"])
def test_the_pixels_shape_is_the_containers_where_the_pictures_say_another(
    inside: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As players have it; some programs change the shape of an MP4 without encoding it again."""
    monkeypatch.setitem(CODECS, "H.264 of its own shape", ("libx264", "yuv420p", {"x264-params": f"sar={inside}"}))
    file = VideoFile(film("mp4", "H.264 of its own shape", 5, pixel=Fraction(4, 3)))
    assert file.frame_size == (128, 64)
    assert {frame.image.shape for frame in file.frames()} == {(64, 128, 3)}


def test_full_range_is_not_made_darker() -> None:
    frames = frames_of(clip(greys(), "avi", "mjpeg", pixels="yuvj420p"))
    assert [brightness(f) for f in frames] == pytest.approx([40 + 10 * i for i in range(10)], abs=4)
    assert [f.image.mean() for f in frames] == pytest.approx([40 + 10 * i for i in range(10)], abs=4)


def test_the_fast_mode_gives_fewer_frames_at_their_times() -> None:
    content = film("mp4", "H.264")
    file = VideoFile(content, fast=True)
    frames = [part for part in file.read() if isinstance(part, Frame)]
    assert 2 < len(frames) < COUNT
    assert [f.time_s for f in frames] == pytest.approx([n / FILM_RATE for n in numbers(frames)], abs=0.5 / FILM_RATE)
    assert file.left_out == []


def test_no_length_is_no_mistake() -> None:
    """Browsers record WebM without one."""
    file = io.BytesIO()

    class Pipe:  # what cannot be gone back in gets no length
        write = file.write

    with av.open(Pipe(), "w", format="webm") as out:
        stream = out.add_stream("libvpx-vp9", 10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for picture in greys():
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
        out.mux(stream.encode(None))
    video = VideoFile(file.getvalue())
    assert video.duration_s is None
    assert 0 <= video.share <= 1
    assert len([part for part in video.read() if isinstance(part, Frame)]) == 10
    assert video.left_out == []


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not a video" * 100,
        b"\x00" * 5000,
        b"GIF89a" + bytes(100),
        clip(greys())[:800],  # its end, where an MP4 says what is in it, is missing
    ],
)
def test_what_is_no_video_is_refused(content: bytes) -> None:
    with pytest.raises(VideoError, match="Use MP4"):
        VideoFile(content)


def test_a_path_is_read_as_its_bytes_are(tmp_path: Path) -> None:
    path = tmp_path / "no ending"
    path.write_bytes(film("mpegts", "H.264", 5))
    assert numbers(frames_of(path)) == list(range(5))
    with pytest.raises(VideoError, match="No such file"):
        VideoFile(tmp_path / "gone")


@pytest.mark.parametrize(
    "playlist",
    [
        "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{url}\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile '{url}'\n",
    ],
)
def test_a_playlist_opens_no_other_file(playlist: str, tmp_path: Path) -> None:
    """FFmpeg would follow it to any file or address that the server can reach."""
    (tmp_path / "secret.mp4").write_bytes(clip(greys()))
    for url in (f"file://{tmp_path}/secret.mp4", f"{tmp_path}/secret.mp4"):
        with pytest.raises(VideoError):
            VideoFile(playlist.format(url=url).encode())


def test_a_container_that_is_not_on_the_list_is_refused() -> None:
    """FFmpeg would open it; the list is what keeps its playlist readers out, whatever its own checks are."""
    raw = b"YUV4MPEG2 W64 H48 F10:1 Ip A1:1 C420jpeg\n" + 2 * (b"FRAME\n" + bytes(64 * 72))
    with av.open(io.BytesIO(raw)) as source:
        assert len(list(source.decode(video=0))) == 2
    with pytest.raises(VideoError):
        VideoFile(raw)


def test_sound_alone_is_refused() -> None:
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as out:
        stream = out.add_stream("aac", 48_000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.sample_rate = 48_000
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    with pytest.raises(VideoError, match="only sound"):
        VideoFile(file.getvalue())


def test_a_way_of_storing_that_nobody_knows_is_refused() -> None:
    """There is no decoder for it, so PyAV gives the stream no codec context."""
    content = film("avi", "MPEG-4", 3)
    assert content.count(b"FMP4") == 2
    with pytest.raises(VideoError, match="not known here"):
        VideoFile(content.replace(b"FMP4", b"ZZZZ"))


def test_a_huge_picture_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(videofile, "MAX_PIXELS", 64 * 48 - 1)
    with pytest.raises(VideoError, match="64 × 48 pixels"):
        VideoFile(clip(greys()))


def test_a_picture_that_grows_huge_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    content = changing((64, 48), (640, 480), (64, 48))
    monkeypatch.setattr(videofile, "MAX_PIXELS", 64 * 48)
    file = VideoFile(content)
    assert len([part for part in file.read() if isinstance(part, Frame)]) == 6
    assert "3 damaged frames" in file.left_out[0]


@pytest.mark.parametrize("container", ["mpegts", "matroska", "avi", "mp4", "flv"])
def test_a_broken_middle_moves_no_other_frame(container: str) -> None:
    whole = bytearray(film(container, "H.264 without B-frames", 60))
    hole = whole.index(b"\x00\x00", len(whole) // 2)
    whole[hole : hole + 188 * 2] = bytes(188 * 2)
    file = VideoFile(bytes(whole))
    frames = [part for part in file.read() if isinstance(part, Frame)]
    assert len(frames) > 10
    for frame in frames:  # one that refers to a lost one still shows the one before
        assert number_in(frame.image) <= round((frame.time_s - frames[0].time_s) * FILM_RATE)
    for frame in frames[:10]:
        assert number_in(frame.image) == round((frame.time_s - frames[0].time_s) * FILM_RATE)


@pytest.mark.parametrize(("container", "name"), [("matroska", "H.264"), ("avi", "Motion JPEG"), ("flv", "H.264")])
def test_a_cut_end_keeps_what_comes_before_and_says_so(container: str, name: str) -> None:
    whole = film(container, name, 60)
    file = VideoFile(whole[: len(whole) // 2])
    frames = [part for part in file.read() if isinstance(part, Frame)]
    assert 5 < len(frames) < 60
    assert numbers(frames)[:-1] == list(range(len(frames) - 1))
    assert file.left_out


@pytest.mark.parametrize("turn_deg", [90, 180, 270])
def test_a_phones_lying_video_is_set_upright(turn_deg: int) -> None:
    stored = np.rot90(CORNER, turn_deg // 90)  # counter-clockwise; the matrix turns it back
    file = VideoFile(lying(clip([np.ascontiguousarray(stored)] * 2), turn_deg))
    assert (file.width_px, file.height_px) == (64, 48)
