"""The tab 'Your photos': the model's accuracy on the user's own labelled photos, by class and group."""

from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import Any, Protocol

import numpy as np
import streamlit as st

from fer.emotions import CLASSES
from fer.judge.photos import LabelledPhoto, PhotosError, parse_list, report
from fer.see.faces import Observation
from webui.evaluation.own_tabs import CONFUSION, OwnFaces, show_own
from webui.frame import weights
from webui.frame.layout import PRIVATE, plain, show_error
from webui.frame.session import session
from webui.frame.weights import Weights

_MOST_PHOTOS, _MAX_PHOTO_MB, _MAX_LIST_MB = 300, 16, 1
_WORDS = (
    "Only photos of your own people can show whether the model is as good for them as for FER2013's. Give a CSV file "
    f"with the columns `file` and `label` (one of {', '.join(CLASSES)}) and, if you like, columns that say which group "
    "a photo belongs to, such as age or site; and the photos that it names."
)


class File(Protocol):
    """As returned by Streamlit's uploader."""

    name: str
    file_id: str

    def getvalue(self) -> bytes: ...


@st.fragment
def own_photos(asked: Weights) -> None:
    st.markdown(_WORDS)
    left, right = st.columns(2)
    listed = left.file_uploader("List (.csv)", type=["csv"], max_upload_size=_MAX_LIST_MB, key="evaluation_list")
    files = right.file_uploader(
        f"Photos, up to {_MOST_PHOTOS}",
        accept_multiple_files=True,
        max_upload_size=_MAX_PHOTO_MB,
        key="evaluation_photos",
    )
    st.caption(f":material/lock: {PRIVATE}")
    mine = session().evaluation
    if listed is None or not files:
        mine.own = None
        return
    given = asked.digest, listed.file_id, *(file.file_id for file in files)
    if st.button("Judge them", type="primary", key="evaluation_judge_photos"):
        mine.own, bar = None, st.empty()
        refusals: tuple[type[Exception], ...] = (PhotosError, *weights.load_errors())
        try:
            mine.own = given, judged(listed, files, asked, bar)
            mine.cells.pop(CONFUSION, None)
        except refusals as error:
            show_error(error)
        finally:
            bar.empty()
    if mine.own is not None and mine.own[0] == given:
        show_own(mine.own[1])


def judged(listed: File, files: Sequence[File], asked: Weights, bar: Any) -> OwnFaces:
    """Each photo's most prominent face. Raises PhotosError, WeightsError."""
    from fer.see.images import ImageError, open_image

    if len(files) > _MOST_PHOTOS:
        raise PhotosError(
            f"{len(files)} photos; at most {_MOST_PHOTOS} are judged here, more by scripts/evaluate.py --photos"
        )
    given = {file.name: file for file in files}
    wanted = parse_list(listed.getvalue(), Path(listed.name))
    if missing := [photo.file.name for photo in wanted if photo.file.name not in given]:
        raise PhotosError(f"{listed.name} names {len(missing)} photos that were not given, as {missing[0]!r}")
    recognizer, found = asked.recognizer(), list[LabelledPhoto]()
    said, crops = list[Observation](), list[np.ndarray]()
    for number, photo in enumerate(wanted, start=1):
        try:
            image = open_image(given[PurePath(photo.file).name].getvalue())
        except ImageError as error:
            raise PhotosError(f"{photo.file.name}: {error}") from error
        seen = recognizer.observe(image)[:1]
        found += [photo] * len(seen)
        said += seen
        crops += [recognizer.crops(image, [one.face])[0] for one in seen]
        bar.progress(number / len(wanted), f"Reading photo {number} of {len(wanted)}")
    if not found:
        raise PhotosError(f"no face was found in any of {len(wanted)} photos")
    threshold, without_face = recognizer.card.unsure_below, len(wanted) - len(found)
    text = report(found, np.stack([one.probabilities for one in said]), threshold, without_face, plain)
    return OwnFaces(found, said, np.stack(crops), without_face, text, threshold)
