"""Video files of every kind in, upright frames with their times out; bad ones refused; copies that play."""

import io
import itertools

import av
import numpy as np
import pytest
from clips import clip, greys, lying

from fer.see import videofile
from fer.see.videofile import Copy, Frame, VideoError, VideoFile


def frames_of(content: bytes) -> list[Frame]:
    return [part for part in VideoFile(content).read() if isinstance(part, Frame)]


def brightness(frame: Frame) -> float:
    """Mean luma as 0..255 grey: BT.601's limited range undone."""
    height = frame.planes.shape[0] * 2 // 3
    return (float(frame.planes[:height].mean()) - 16) * 255 / 219


def copied(content: bytes) -> bytes:
    file = VideoFile(content)
    copy = Copy(file)
    for part in file.read():
        if isinstance(part, Frame):
            copy.add(part)
        else:
            copy.add_sound(part)
    return copy.close()


@pytest.mark.parametrize(
    ("container", "codec", "pixels"),
    [
        ("mp4", "libx264", "yuv420p"),
        ("mov", "mpeg4", "yuv420p"),
        ("matroska", "libx264", "yuv444p"),
        ("webm", "libvpx-vp9", "yuv420p"),
        ("avi", "mjpeg", "yuvj420p"),
        ("mpegts", "libx264", "yuv420p"),
    ],
)
def test_frames_come_in_order_whatever_the_container(container, codec, pixels):
    frames = frames_of(clip(greys(), container, codec, pixels=pixels))
    assert len(frames) == 10
    assert [f.time_s - frames[0].time_s for f in frames] == pytest.approx([i / 10 for i in range(10)], abs=2e-3)
    assert [brightness(f) for f in frames] == pytest.approx([40 + 10 * i for i in range(10)], abs=4)  # lossy
    assert all(f.planes.shape == (72, 64) for f in frames)


def test_times_are_the_files_own():
    times_s = [0.0, 0.1, 0.5, 0.52, 2.0]
    assert [f.time_s for f in frames_of(clip(greys(5), times_s=times_s))] == pytest.approx(times_s, abs=1e-3)


@pytest.mark.parametrize("size", [(1920, 1080), (2562, 1442), (720, 1280), (50, 46)])
def test_large_frames_are_shrunk_to_even_sides(size):
    file = VideoFile(clip(greys(2, size)))
    assert (file.width_px, file.height_px) == size
    width, height = file.frame_size
    assert max(width, height) <= videofile.LONGEST_PX
    assert width % 2 == height % 2 == 0
    assert width / height == pytest.approx(size[0] / size[1], rel=0.02)
    [first, _] = [part for part in file.read() if isinstance(part, Frame)]
    assert first.planes.shape == (height * 3 // 2, width)


@pytest.mark.parametrize("turn_deg", [90, 180, 270])
def test_a_phones_lying_video_is_set_upright(turn_deg):
    upright = np.full((48, 64, 3), 60, np.uint8)
    upright[:12, :16] = 220  # a bright left top corner
    stored = np.rot90(upright, turn_deg // 90)  # counter-clockwise; the matrix turns it back
    file = VideoFile(lying(clip([np.ascontiguousarray(stored)] * 2), turn_deg))
    assert (file.width_px, file.height_px) == file.frame_size == (64, 48)
    [first, _] = [part for part in file.read() if isinstance(part, Frame)]
    corners = first.planes[:48][[2, 2, -3, -3], [2, -3, 2, -3]]
    assert corners[0] > 180
    assert (corners[1:] < 100).all()


def test_no_length_is_no_mistake():
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
def test_what_is_no_video_is_refused(content):
    with pytest.raises(VideoError, match="Use MP4"):
        VideoFile(content)


@pytest.mark.parametrize(
    "playlist",
    [
        "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{url}\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile '{url}'\n",
    ],
)
def test_a_playlist_opens_no_other_file(playlist, tmp_path):
    """FFmpeg would follow it to any file or address that the server can reach."""
    (tmp_path / "secret.mp4").write_bytes(clip(greys()))
    for url in (f"file://{tmp_path}/secret.mp4", f"{tmp_path}/secret.mp4"):
        with pytest.raises(VideoError):
            VideoFile(playlist.format(url=url).encode())


def test_a_container_that_is_not_on_the_list_is_refused():
    """FFmpeg would open it; the list is what keeps its playlist readers out, whatever its own checks are."""
    raw = b"YUV4MPEG2 W64 H48 F10:1 Ip A1:1 C420jpeg\n" + 2 * (b"FRAME\n" + bytes(64 * 72))
    with av.open(io.BytesIO(raw)) as source:
        assert len(list(source.decode(video=0))) == 2
    with pytest.raises(VideoError):
        VideoFile(raw)


def test_sound_alone_is_refused():
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as out:
        stream = out.add_stream("aac", 48_000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.sample_rate = 48_000
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    with pytest.raises(VideoError, match="only sound"):
        VideoFile(file.getvalue())


def test_a_huge_picture_is_refused(monkeypatch):
    monkeypatch.setattr(videofile, "MAX_PIXELS", 64 * 48 - 1)
    with pytest.raises(VideoError, match="64 × 48 pixels"):
        VideoFile(clip(greys()))


def test_a_broken_middle_is_told_and_the_rest_is_read():
    whole = clip(greys(40), "mpegts", "libx264")
    hole = len(whole) // 2
    file = VideoFile(whole[:hole] + bytes(188 * 6) + whole[hole + 188 * 6 :])
    frames = [part for part in file.read() if isinstance(part, Frame)]
    assert 20 < len(frames) <= 40
    assert all(a.time_s < b.time_s for a, b in itertools.pairwise(frames))


def test_a_cut_end_keeps_what_comes_before():
    whole = clip(greys(40), "matroska")
    assert 5 < len(frames_of(whole[: len(whole) * 2 // 3])) < 40


@pytest.mark.parametrize("container", ["mp4", "mpegts", "matroska"])
def test_a_copy_plays_with_its_sound(container):
    content = copied(clip(greys(), container, sound="aac"))
    with av.open(io.BytesIO(content)) as film:
        assert film.format.name.startswith("mov")
        assert film.streams.video[0].codec_context.name == "h264"
        assert film.streams.audio[0].codec_context.name == "aac"
        pictures = list(film.decode(video=0))
    assert len(pictures) == 10
    assert [p.time - pictures[0].time for p in pictures] == pytest.approx([i / 10 for i in range(10)], abs=2e-3)
    assert pictures[0].time < 0.3  # MPEG-TS begins at 1.4 s
    with av.open(io.BytesIO(content)) as film:
        heard = list(film.decode(audio=0))
    assert sum(frame.samples for frame in heard) == pytest.approx(48_000, abs=4096)
    assert heard[0].time < 0.3


def test_sound_that_mp4_does_not_take_is_left_out():
    content = copied(clip(greys(), "matroska", sound="pcm_s16le"))
    with av.open(io.BytesIO(content)) as film:
        assert not film.streams.audio
        assert len(list(film.decode(video=0))) == 10
