"""Copies of videos: MP4 that plays, with the sound."""

import io
from pathlib import Path
from typing import cast

import av
import av.error
import numpy as np
import pytest

from fer.see.videocopy import Copy
from fer.see.videofile import Frame, VideoFile
from tests.fakes.clips import clip, greys, number_in, numbered


def copied(content: bytes) -> tuple[bytes, Copy]:
    file = VideoFile(content)
    copy = Copy(file)
    for part in file.read(sound=True):
        if isinstance(part, Frame):
            copy.add(part.planes(), part.time_s)
        else:
            copy.add_sound(part)
    return copy.close(), copy


def beeping(container: str, codec: str, seconds: float = 1.0, rate: int = 48_000, channels: str = "mono") -> bytes:
    """Ten frames, and a tone in the second half of the sound."""
    file = io.BytesIO()
    with av.open(file, "w", format=container) as out:
        video = out.add_stream("mpeg2video" if container in ("mpeg", "vob") else "libx264", 25)
        video.width, video.height, video.pix_fmt = 96, 64, "yuv420p"
        audio = cast("av.AudioStream", out.add_stream(codec, rate, layout=channels))
        audio.bit_rate = 128_000
        for picture in numbered(25):
            out.mux(video.encode(av.VideoFrame.from_ndarray(picture)))
        out.mux(video.encode(None))
        times_s = np.arange(int(seconds * rate)) / rate
        wave = np.where(times_s > seconds / 2, 0.5 * np.sin(2 * np.pi * 440 * times_s), 0).astype(np.float32)
        frame = av.AudioFrame.from_ndarray(wave[None], "fltp", "mono")
        frame.sample_rate, frame.pts = rate, 0
        size = audio.codec_context.frame_size or 1024
        resampler = av.AudioResampler(audio.codec_context.format, channels, rate, size)
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            out.mux(audio.encode(part))
        out.mux(audio.encode(None))
    return file.getvalue()


def heard(content: bytes) -> tuple[str, np.ndarray, np.ndarray]:
    """Codec, times in seconds and loudness of the sound."""
    with av.open(io.BytesIO(content)) as film:
        frames = list(film.decode(audio=0))
        loud = np.array([np.abs(frame.to_ndarray().astype(float)).mean() for frame in frames])
        return film.streams.audio[0].codec_context.name, np.array([frame.time for frame in frames]), loud


@pytest.mark.parametrize("container", ["mp4", "mpegts", "matroska"])
def test_a_copy_plays_with_its_sound(container: str) -> None:
    content, _ = copied(clip(greys(), container, sound="aac"))
    with av.open(io.BytesIO(content)) as film:
        assert film.format.name.startswith("mov")
        assert film.streams.video[0].codec_context.name == "h264"
        assert film.streams.audio[0].codec_context.name == "aac"
        pictures = list(film.decode(video=0))
    assert len(pictures) == 10
    assert [p.time - pictures[0].time for p in pictures] == pytest.approx([i / 10 for i in range(10)], abs=2e-3)
    assert pictures[0].time < 0.3  # MPEG-TS begins at 1.4 s
    with av.open(io.BytesIO(content)) as film:
        sounds = list(film.decode(audio=0))
    assert sum(frame.samples for frame in sounds) == pytest.approx(48_000, abs=4096)
    assert sounds[0].time < 0.3


@pytest.mark.parametrize(
    ("container", "codec", "rate", "channels", "written"),
    [
        ("mov", "pcm_s16le", 48_000, "stereo", "aac"),
        ("mov", "pcm_alaw", 8_000, "mono", "aac"),
        ("mov", "alac", 44_100, "stereo", "aac"),
        ("matroska", "flac", 96_000, "5.1", "aac"),
        ("matroska", "pcm_s16le", 48_000, "mono", "aac"),
        ("matroska", "libopus", 48_000, "mono", "opus"),
        ("matroska", "ac3", 48_000, "5.1", "aac"),
        ("mpegts", "mp2", 48_000, "stereo", "aac"),
        ("mpeg", "mp2", 48_000, "stereo", "aac"),
        ("avi", "libmp3lame", 44_100, "mono", "mp3float"),
        ("asf", "wmav2", 44_100, "stereo", "aac"),
    ],
)
def test_sound_is_heard_at_its_time_whatever_it_was(
    container: str, codec: str, rate: int, channels: str, written: str
) -> None:
    content, copy = copied(beeping(container, codec, 1.0, rate, channels))
    name, times_s, loud = heard(content)
    assert name == written
    assert copy.trouble is None
    assert times_s[loud > loud.max() / 2][0] == pytest.approx(0.5, abs=0.1)
    assert times_s[-1] == pytest.approx(1.0, abs=0.15)


def test_joined_sound_goes_on_with_its_pictures() -> None:
    part = beeping("mpegts", "mp2", 1.0, 48_000, "stereo")
    content, copy = copied(part + part)
    _, times_s, loud = heard(content)
    beep_s = times_s[loud > loud.max() / 2]
    assert (beep_s < 1.2).any()
    assert (beep_s > 1.4).any()
    assert times_s[-1] == pytest.approx(2.0, abs=0.3)
    assert copy.trouble is None
    with av.open(io.BytesIO(content)) as film:
        numbers = [number_in(frame.to_ndarray(format="rgb24")) for frame in film.decode(video=0)]
    assert numbers == [*range(25), *range(25)]


def test_damaged_sound_is_told_and_the_pictures_are_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    file = VideoFile(beeping("mov", "pcm_s16le"))
    copy = Copy(file)
    monkeypatch.setattr(copy._sound, "add", lambda packet: (_ for _ in ()).throw(av.error.InvalidDataError(22, "x")))
    for part in file.read(sound=True):
        if isinstance(part, Frame):
            copy.add(part.planes(), part.time_s)
        else:
            copy.add_sound(part)
    with av.open(io.BytesIO(copy.close())) as film:
        assert len(list(film.decode(video=0))) == 25
    assert "sound is damaged" in (copy.trouble or "")


@pytest.mark.parametrize(
    ("container", "known", "unknown"), [("matroska", b"A_PCM/INT/LIT", b"A_QQQ/INT/LIT"), ("mov", b"sowt", b"qqqq")]
)
def test_sound_that_nobody_knows_is_told_and_the_pictures_are_copied(
    container: str, known: bytes, unknown: bytes
) -> None:
    content, copy = copied(beeping(container, "pcm_s16le").replace(known, unknown))
    with av.open(io.BytesIO(content)) as film:
        assert len(list(film.decode(video=0))) == 25
        assert not film.streams.audio
    assert "is silent" in (copy.trouble or "")


def test_no_sound_is_no_trouble() -> None:
    _, copy = copied(clip(greys()))
    assert copy.trouble is None


def test_a_copy_may_go_into_a_file(tmp_path: Path) -> None:
    with open(tmp_path / "copy.mp4", "wb") as into:
        file = VideoFile(clip(greys()))
        copy = Copy(file, into)
        for part in file.read():
            copy.add(part.planes(), part.time_s)
        assert copy.close() == b""
    with av.open(str(tmp_path / "copy.mp4")) as film:
        assert len(list(film.decode(video=0))) == 10
