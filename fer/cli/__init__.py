"""The command line: `fer COMMAND …`, the same as `python -m fer COMMAND …`; one module per command.

Without a command, arguments are passed to `fer photo`. Each module has `main(arguments) -> int`, which returns the
exit status: 0; 1 if the reader of a pipe closed it; 2 if an input or option is bad, with one line for each on
standard error while the other inputs are still processed; 130 after Ctrl-C.
"""

import importlib
import io
import os
import sys
from collections.abc import Sequence

from fer.installed import InstallationError, check_name

BAD_INPUT = 2

# Command → its module and purpose. A module is imported only when its command is given.
COMMANDS = {
    "photo": ("fer.cli.photo", "say what expression each face in photos shows"),
    "video": ("fer.cli.video", "say who shows which expression when in videos"),
    "batch": ("fer.cli.batch", "read thousands of photos and videos into one table"),
    "serve": ("fer.cli.serve", "answer other programs over HTTP and WebSocket"),
    "app": ("fer.cli.app", "start the pages in the browser"),
    "export-web": ("fer.cli.export_web", "write live camera and photos as a folder for any web server"),
    "prepare": ("fer.cli.script", "read FER2013 in any of its forms and write the cache"),
    "train": ("fer.cli.script", "train the network"),
    "evaluate": ("fer.cli.script", "calibrate and measure a trained run, and write the app's weights"),
}

USAGE = "usage: fer COMMAND …   (fer COMMAND --help shows more)\n\n" + "\n".join(
    f"  {name:<12}{words}" for name, (_, words) in COMMANDS.items()
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command and returns the exit status. arguments: None means sys.argv[1:]."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # file names need not be valid text
    if not given or given[0] in ("-h", "--help"):
        print(USAGE, file=sys.stdout if given else sys.stderr)
        return 0 if given else BAD_INPUT
    name = given[0] if given[0] in COMMANDS else "photo"
    rest = given[1:] if given[0] in COMMANDS else given
    try:
        check_name()
        command = importlib.import_module(COMMANDS[name][0])
        status: int = command.main([name, *rest] if command.__name__ == "fer.cli.script" else rest)
        return status
    except InstallationError as error:
        return complain(str(error))
    except BrokenPipeError:  # the reader has closed the pipe, as in `fer photo … | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 130


def complain(message: str) -> int:
    """Prints the message on one line of standard error; returns the exit status for bad input."""
    print("fer: " + " ".join(message.split()), file=sys.stderr)
    return BAD_INPUT
