"""`python -m tests.fuzz.worker TARGET FIRST LAST`: reads damaged files under limits, a line of JSON for each finding.

What it reads now lies in the folder as `now`, its number in `number`, so whoever started it knows what ended it.
"""

import json
import os
import resource
import signal
import sys
import time
import traceback
import warnings
from pathlib import Path
from types import FrameType

from tests.fuzz.mutate import mutate
from tests.fuzz.targets import TARGETS

MEMORY_BYTES = 2**30  # that one input may take, beyond what the libraries take
TIME_S = 5  # of processor time, that one input may take; all seeds together take less than one


class SlowError(BaseException):
    """An input that takes longer; no reader catches it as one of its own troubles."""


def main(name: str, first: int, last: int, folder: Path) -> None:
    target = TARGETS[name]
    seeds, errors = target.seeds(), target.errors()
    warnings.simplefilter("ignore")
    for seed in seeds:
        target.read(seed, folder)  # loads what it needs; a good file that is refused ends the worker
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (taken + MEMORY_BYTES,) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGVTALRM, _slow)
    for number in range(first, last):
        content = mutate(seeds, number)
        (folder / "now").write_bytes(content)
        (folder / "number").write_text(str(number))
        finding = _read(target.read, content, folder, errors)
        if finding is not None:
            print(json.dumps({"number": number, **finding}), flush=True)


def _read(read: object, content: bytes, folder: Path, errors: tuple[type[Exception], ...]) -> dict[str, str] | None:
    started = time.process_time()
    signal.setitimer(signal.ITIMER_VIRTUAL, TIME_S)
    try:
        read(content, folder)  # type: ignore[operator]
    except errors as error:
        if len(str(error)) > 2000:
            return {"what": f"{type(error).__name__} of {len(str(error))} characters", "where": ""}
    except SlowError:
        return {"what": "slow", "where": traceback.format_exc()[-800:]}
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        return {"what": type(error).__name__, "where": f"{Path(where.filename).name}:{where.lineno} {str(error)[:200]}"}
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    if time.process_time() - started > TIME_S:
        return {"what": "slow", "where": f"{time.process_time() - started:.1f} s"}
    return None


def _slow(signum: int, frame: FrameType | None) -> None:
    raise SlowError


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]))
