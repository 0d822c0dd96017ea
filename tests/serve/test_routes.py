"""The service as its clients meet it, over real sockets."""

import gc
import io
import json
import socket
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, Never

import numpy as np
import pytest
import requests
from PIL import Image
from requests.models import Response

from fer.cli import main
from fer.cli.serve import listen
from fer.serve.service import Service
from fer.serve.settings import ServeError, ServeSettings, from_environment
from tests.conftest import SAMPLE
from tests.fakes.clips import clip, greys
from tests.fakes.serving import serving

JPEG = {"Content-Type": "image/jpeg"}
PHOTO = SAMPLE.read_bytes()


def problem(answer: Response, status: int) -> dict[str, Any]:
    """The members of an error answer."""
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    said = answer.json()
    assert said["status"] == status
    assert said["title"]
    assert said["detail"]
    return said


def test_a_photo_gives_what_the_command_prints(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    main([str(SAMPLE), "--json"])
    expected = capsys.readouterr().out.replace(json.dumps(str(SAMPLE)), '"image"')
    answer = requests.post(f"{address}/faces", PHOTO, headers=JPEG, timeout=60)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
    assert answer.text == expected


def test_many_photos_as_a_form(address: str) -> None:
    files = [("file", ("a.jpg", PHOTO, "image/jpeg")), ("file", ("b.jpg", PHOTO, "image/jpeg"))]
    answer = requests.post(f"{address}/faces", files=files, timeout=60)
    assert [row["source"] for row in answer.json()] == ["a.jpg", "b.jpg"]


def test_settings_of_one_request(address: str) -> None:
    answer = requests.post(f"{address}/faces?unsure_below=1&detector=haar", PHOTO, headers=JPEG, timeout=60)
    (row,) = answer.json()
    assert (row["label"], row["detector"]) == ("unsure", "haar")


def picture_file(form: str, *images: Image.Image) -> bytes:
    file = io.BytesIO()
    if len(images) > 1:
        images[0].save(file, form, save_all=True, append_images=images[1:])
    else:
        images[0].save(file, form)
    return file.getvalue()


def test_a_turned_photo_and_an_animation_are_told(address: str) -> None:
    with Image.open(SAMPLE) as sample:
        hanging, empty = sample.rotate(180), Image.new("RGB", sample.size)
        files = [
            ("file", ("upright.jpg", PHOTO)),
            ("file", ("hanging.png", picture_file("PNG", hanging))),
            ("file", ("empty.gif", picture_file("GIF", empty, sample.convert("RGB")))),
        ]
    answer = requests.post(f"{address}/faces", files=files, timeout=60)
    assert {row["source"]: row["turn_deg"] for row in answer.json()} == {"upright.jpg": 0, "hanging.png": 180}
    turned, animated = json.loads(answer.headers["Fer-Notes"])
    assert (turned["photo"], animated["photo"]) == (2, 3)
    assert "hang upside down" in turned["note"]
    assert "only its first frame was read, and that shows no face" in animated["note"]
    plain = requests.post(f"{address}/faces", PHOTO, headers=JPEG, timeout=60)
    assert "Fer-Notes" not in plain.headers


def test_boxes_of_a_photo_read_at_half_its_sides_are_in_the_files_pixels(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (whole,) = requests.post(f"{address}/faces", PHOTO, headers=JPEG, timeout=60).json()
    monkeypatch.setattr("fer.see.images.HALVED_MP", 0.1)  # the service runs in this process
    (halved,) = requests.post(f"{address}/faces", PHOTO, headers=JPEG, timeout=60).json()
    assert halved != whole, "it was read whole"
    for edge in ("left", "top", "right", "bottom"):
        assert halved[edge] == pytest.approx(whole[edge], abs=12)  # else it is half as large: by 30 and more


@pytest.mark.parametrize(
    "query", ["unsure_below=2", "unsure_below=nan", "unsure_below=True", "unsure_below=", "detector=mtcnn"]
)
def test_settings_that_cannot_be(address: str, query: str) -> None:
    assert query.split("=")[0] in problem(requests.post(f"{address}/faces?{query}", PHOTO, timeout=60), 400)["detail"]


def test_photos_that_cannot_be_read_are_named(address: str) -> None:
    said = problem(requests.post(f"{address}/faces", b"no photo", headers=JPEG, timeout=60), 422)
    assert "not an image" in said["detail"]
    files = [("file", ("a.jpg", PHOTO)), ("file", ("b.jpg", b"no photo"))]
    said = problem(requests.post(f"{address}/faces", files=files, timeout=60), 422)
    assert [refused["source"] for refused in said["refused"]] == ["b.jpg"]


def test_an_empty_file_in_a_form_is_refused_and_the_forms_files_are_closed(address: str) -> None:
    files = [("file", ("a.jpg", PHOTO)), ("file", ("b.jpg", b""))]
    assert "empty" in problem(requests.post(f"{address}/faces", files=files, timeout=60), 400)["detail"]
    gc.collect()  # one left open warns when it goes, and here a warning is an error


def test_what_is_no_photo_at_all(address: str) -> None:
    problem(requests.post(f"{address}/faces", "text", headers={"Content-Type": "text/plain"}, timeout=60), 415)
    problem(requests.post(f"{address}/faces", b"", headers=JPEG, timeout=60), 400)
    problem(requests.post(f"{address}/faces", b"x", headers={"Content-Type": "multipart/form-data"}, timeout=60), 400)
    problem(requests.get(f"{address}/nothing", timeout=60), 404)
    answer = requests.get(f"{address}/faces", timeout=60)
    problem(answer, 405)
    assert answer.headers["Allow"] == "POST"


def test_too_much_is_refused_before_it_has_come() -> None:
    with serving(replace(ServeSettings(), photo_bytes=2**20, photos=2)) as (address, _):
        problem(requests.post(f"{address}/faces", bytes(2**20 + 1), headers=JPEG, timeout=60), 413)
        files = [("file", (f"{number}.jpg", PHOTO)) for number in range(3)]
        problem(requests.post(f"{address}/faces", files=files, timeout=60), 413)
        # In pieces, without saying how much it will be: stopped while it comes.
        assert b" 413 " in endless(address, 40 * [bytes(2**17)])


def endless(address: str, pieces: list[bytes]) -> bytes:
    """The first line of the answer to a chunked body."""
    host, _, port = address.removeprefix("http://").partition("/")[0].partition(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        head = (
            "POST /api/v1/faces HTTP/1.1",
            f"Host: {host}",
            "Content-Type: image/jpeg",
            "Transfer-Encoding: chunked",
        )
        connection.sendall(("\r\n".join(head) + "\r\n\r\n").encode())
        try:
            for piece in pieces:
                connection.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))
        except (BrokenPipeError, ConnectionResetError):
            pass
        return connection.recv(100)


def test_a_body_that_dribbles_is_given_up() -> None:
    with serving(replace(ServeSettings(), body_s=0.3)) as (address, service):
        assert b" 408 " in endless(address, [b"x"])
        assert service.taken == 0


def test_eight_clients_lose_no_request(address: str) -> None:
    with ThreadPoolExecutor(8) as clients:
        answers = list(
            clients.map(lambda _: requests.post(f"{address}/faces", PHOTO, headers=JPEG, timeout=60), range(40))
        )
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == 1


def test_answers_are_sent_at_once() -> None:
    """Head and body of an answer are two pieces; without TCP_NODELAY the second waits 40 ms for the first."""
    with (
        listen("127.0.0.1", 0) as listening,
        socket.create_connection(listening.getsockname()),
        listening.accept()[0] as accepted,
    ):
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_full_queue_says_so_and_empties(monkeypatch: pytest.MonkeyPatch) -> None:
    held, go = threading.Event(), threading.Event()

    def slow(*_: object) -> tuple[list[Any], list[Any]]:
        held.set()
        go.wait(30)
        return [], []

    with serving(replace(ServeSettings(), waiting=0), workers=1) as (address, service):
        monkeypatch.setattr(service, "photo", slow)
        with ThreadPoolExecutor(1) as client:
            first = client.submit(requests.post, f"{address}/faces", PHOTO, headers=JPEG, timeout=60)
            assert held.wait(30)
            answer = requests.post(f"{address}/faces", PHOTO, headers=JPEG, timeout=60)
            problem(answer, 429)
            assert answer.headers["Retry-After"] == "1"
            assert requests.get(f"{address}/health", timeout=60).status_code == 200
            go.set()
            assert first.result().json() == []
        assert requests.post(f"{address}/faces", PHOTO, headers=JPEG, timeout=60).status_code == 200


def test_too_fast_is_told_when_to_come_again() -> None:
    with serving(replace(ServeSettings(), per_second=0.1, burst=2)) as (address, _):
        answers = [requests.get(f"{address}/health", timeout=60) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert int(answers[-1].headers["Retry-After"]) >= 9


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "evil.example:80"])
def test_a_foreign_name_is_refused(address: str, host: str) -> None:
    """DNS rebinding: a page whose name points here."""
    assert requests.get(f"{address}/health", headers={"Host": host}, timeout=60).status_code == 400


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1"])
def test_a_foreign_page_is_refused(address: str, origin: str) -> None:
    problem(requests.post(f"{address}/faces", PHOTO, headers={**JPEG, "Origin": origin}, timeout=60), 403)


def test_a_page_of_the_same_server_may_ask(address: str) -> None:
    origin = address.removesuffix("/api/v1")
    assert requests.post(f"{address}/faces", PHOTO, headers={**JPEG, "Origin": origin}, timeout=60).status_code == 200


TOKEN = "0123456789abcdef-token"


def test_a_token_is_asked_of_everybody_where_there_is_one() -> None:
    with serving(ServeSettings(token=TOKEN)) as (address, _):
        for wrong in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {TOKEN}"}):
            answer = requests.post(f"{address}/faces", PHOTO, headers={**JPEG, **wrong}, timeout=60)
            problem(answer, 401)
            assert answer.headers["WWW-Authenticate"] == "Bearer"
        right = {**JPEG, "Authorization": f"Bearer {TOKEN}"}
        assert requests.post(f"{address}/faces", PHOTO, headers=right, timeout=60).status_code == 200
        assert requests.get(f"{address}/health", timeout=60).status_code == 200
        problem(requests.get(f"{address}/metrics", timeout=60), 401)


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP"])
def test_behind_a_proxy_nobody_is_this_computer(address: str, header: str) -> None:
    problem(requests.get(f"{address}/metrics", headers={header: "127.0.0.1"}, timeout=60), 401)


def test_a_token_that_can_be_guessed_is_refused() -> None:
    with pytest.raises(ServeError, match="at least 16"):
        from_environment({"FER_API_TOKEN": "secret"})
    assert TOKEN not in repr(ServeSettings(token=TOKEN))


def test_a_video_is_read_beside(address: str, sample_image: np.ndarray) -> None:
    film = clip([sample_image[:480, :480]] * 6)
    answer = requests.post(f"{address}/videos", film, headers={"Content-Type": "video/mp4"}, timeout=60)
    assert answer.status_code == 202
    place = address.removesuffix("/api/v1") + answer.headers["Location"]
    status = wait_until_read(place)
    assert (status["status"], status["progress"], status["detail"]) == ("done", 1.0, "")
    rows = requests.get(f"{place}/table", timeout=60).json()
    assert len(rows) == status["rows"] == 6
    assert [row["time_s"] for row in rows] == pytest.approx([i / 10 for i in range(6)], abs=2e-3)
    assert {row["identity"] for row in rows} == {1}
    lines = requests.get(f"{place}/table?format=csv", timeout=60).text.splitlines()
    assert lines[0].startswith("source,time_s,identity,face")
    assert len(lines) == 7
    assert requests.delete(place, timeout=60).status_code == 204
    problem(requests.get(place, timeout=60), 404)


def wait_until_read(place: str) -> dict[str, Any]:
    give_up = time.monotonic() + 60
    while True:
        status = requests.get(place, timeout=60).json()
        if status["status"] in ("done", "failed"):
            return status
        assert time.monotonic() < give_up
        time.sleep(0.05)


def test_a_video_that_cannot_be_read_says_why(address: str) -> None:
    answer = requests.post(f"{address}/videos", files={"file": ("x.mp4", b"no video")}, timeout=60)
    place = f"{address}/videos/{answer.json()['id']}"
    assert "not a video" in wait_until_read(place)["detail"]
    problem(requests.get(f"{place}/table", timeout=60), 422)


def test_videos_are_bounded() -> None:
    with serving(replace(ServeSettings(), jobs=1)) as (address, _):
        film = clip(greys(3))
        assert (
            requests.post(f"{address}/videos", film, headers={"Content-Type": "video/mp4"}, timeout=60).status_code
            == 202
        )
        problem(requests.post(f"{address}/videos", film, headers={"Content-Type": "video/mp4"}, timeout=60), 429)


def test_nothing_of_an_upload_touches_the_disk(address: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Starlette's own form parser writes files above 1 MB to a temporary file."""
    made: list[tempfile.SpooledTemporaryFile[bytes]] = []
    original = tempfile.SpooledTemporaryFile.rollover

    def rollover(file: tempfile.SpooledTemporaryFile[bytes]) -> None:
        made.append(file)
        original(file)

    monkeypatch.setattr(tempfile.SpooledTemporaryFile, "rollover", rollover)
    files = {"file": ("a.jpg", PHOTO + bytes(3 * 2**20), "image/jpeg")}
    assert requests.post(f"{address}/faces", files=files, timeout=60).status_code == 200
    assert made == []


def test_metrics_count(address: str) -> None:
    requests.post(f"{address}/faces", PHOTO, headers=JPEG, timeout=60)
    text = requests.get(f"{address}/metrics", timeout=60).text
    assert 'fer_requests_total{route="/faces",status="200"}' in text
    assert 'fer_request_seconds_bucket{le="+Inf"}' in text
    assert "fer_requests_under_way 0" in text


def test_an_error_of_the_server_tells_nothing_of_it(
    served: tuple[str, Service], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    address, service = served

    def broken(*_: object) -> Never:
        raise RuntimeError("secret words")

    monkeypatch.setattr(service, "photo", broken)
    said = problem(requests.post(f"{address}/faces", PHOTO, headers=JPEG, timeout=60), 500)
    assert "secret" not in said["detail"]
    assert "secret words" in caplog.text


def test_the_page_for_people(address: str) -> None:
    answer = requests.get(f"{address}/docs", timeout=60)
    assert "/api/v1/videos/{key}/table" in answer.text
    assert "<script" not in answer.text
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
