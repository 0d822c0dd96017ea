"""Reviews a finished result: one row per file, those that need attention first (unread, without a face, unsure).

An untrusted part or CSV is read in a separate process (fer.confined).
"""

import io
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from fer import confined
from fer.emotions import UNSURE

if TYPE_CHECKING:
    import pyarrow as pa

UNREAD, NO_FACE, SOME_UNSURE, FINE = "cannot be read", "no face", "unsure", ""
URGENCY = (UNREAD, NO_FACE, SOME_UNSURE, FINE)
MOST_FILES = 100_000
_COLUMNS = ("source", "kind", "status", "reason", "identity", "label")
_MAGIC = b"PAR1"


class ReviewError(ValueError):
    """A file that was not written by `fer batch`; the message says what was expected."""


@dataclass(frozen=True, slots=True)
class FileSeen:
    """The result for one file.

    why: one of URGENCY. faces: a photo's faces or a video's people. expressions: such as '2 × happy, 1 × unsure'; a
    video's are counts of looks. reason: why the file cannot be read.
    """

    source: str
    why: str
    faces: int
    expressions: str
    reason: str


def review(contents: Sequence[bytes]) -> list[FileSeen]:
    """The files in the parts or CSVs of one result: those that need attention first, otherwise in their order.

    Raises ReviewError if one of them is not a result, is damaged, or has more than MOST_FILES files.
    """
    files: list[FileSeen] = []
    for content in contents:
        try:
            answer = confined.run("fer.batch.confined_review", content)
        except confined.ConfinedError as error:
            raise ReviewError(str(error)) from error
        files += [FileSeen(**fields) for fields in json.loads(answer)]
    return sorted(files, key=lambda file: URGENCY.index(file.why))


def summed(content: bytes) -> bytes:
    """JSON with one FileSeen per file; runs in a separate process. Raises ReviewError."""
    import pyarrow as pa

    try:
        table = _table(content)
    except (pa.ArrowException, OSError, KeyError) as error:
        raise ReviewError(
            "no result of `fer batch`: choose files of its folder DIR/faces, or DIR/faces.csv "
            f"({' '.join(str(error).split())[:200]})"
        ) from error
    # From here on there are only integers and strings: one row for each kind of row that a file has.
    table = table.append_column("row", pa.array(range(table.num_rows), pa.int64()))
    kinds = table.group_by(["source", "kind", "status", "reason", "label"], use_threads=False)
    rows = kinds.aggregate([("source", "count"), ("row", "min")]).to_pylist()
    by_file: dict[str, list[dict[str, Any]]] = {}
    for row in sorted(rows, key=lambda row: row["row_min"]):  # groups arrive in no particular order
        by_file.setdefault(row["source"] or "", []).append(row)
    if len(by_file) > MOST_FILES:
        raise ReviewError(f"a result of {len(by_file):,} files; up to {MOST_FILES:,} can be shown. Open fewer parts.")
    counted = table.group_by("source", use_threads=False).aggregate([("identity", "count_distinct")]).to_pylist()
    people = {row["source"]: row["identity_count_distinct"] for row in counted}
    return json.dumps([asdict(_file_seen(name, of, people.get(name, 0))) for name, of in by_file.items()]).encode()


def _table(content: bytes) -> "pa.Table":
    import pyarrow.csv
    import pyarrow.parquet as pq

    from fer.batch.table import SCHEMA

    if content.startswith(_MAGIC):
        table = pq.read_table(io.BytesIO(content), columns=list(_COLUMNS), use_threads=False)
    else:
        convert = pyarrow.csv.ConvertOptions(
            include_columns=list(_COLUMNS),
            column_types={name: SCHEMA.field(name).type for name in _COLUMNS},
            strings_can_be_null=True,
        )
        table = pyarrow.csv.read_csv(
            io.BytesIO(content),
            pyarrow.csv.ReadOptions(use_threads=False),
            pyarrow.csv.ParseOptions(newlines_in_values=True),  # file names may contain newlines
            convert,
        )
    return table.select(list(_COLUMNS)).cast(pyarrow.schema([SCHEMA.field(name) for name in _COLUMNS]))


def _file_seen(source: str, rows: Sequence[dict[str, Any]], people: int) -> FileSeen:
    labels: Counter[str] = Counter()
    for row in rows:
        if row["status"] == "face":
            labels[row["label"] or ""] += row["source_count"]
    reason = next((row["reason"] for row in rows if row["reason"]), "")
    if any(row["status"] == "error" for row in rows):
        why = UNREAD
    elif not labels:
        why = NO_FACE
    else:
        why = SOME_UNSURE if labels[UNSURE] else FINE
    is_video = rows[0]["kind"] == "video"
    expressions = ", ".join(f"{count} × {label}" for label, count in labels.most_common())
    return FileSeen(source, why, people if is_video else labels.total(), expressions, reason)
