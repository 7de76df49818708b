"""The `landcover` command; the scripts at the root are doors to the same stages.

Each command prints its settings and seed first, and the paths that it wrote
last; with --quiet these alone. Input that cannot be used ends in one line and
exit code 2; the environment variable LANDCOVER_DEBUG names a file for the
traceback. Everything heavy is imported by the command that needs it.
"""

from __future__ import annotations

import argparse
import io
import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from types import FrameType
from typing import NoReturn, TextIO

from landcover import __version__
from landcover.commands import COMMANDS, GROUPS
from landcover.commands.options import Arguments, add_quiet, in_options
from landcover.errors import LandcoverError
from landcover.files.atomic import peak_memory_mib, write_text
from landcover.progress import LONG_S, duration
from landcover.run import Run
from landcover.stopwatch import Stopwatch, describe, running

#: Of an option with more files than this, the settings' line names the first and the last.
FILES_SHOWN = 2
#: Commands that go on where they were stopped.
GOES_ON = ("fetch", "map")
#: Commands that end only by being stopped: by SIGTERM, as service managers do, that is no failure.
UNTIL_STOPPED = ("serve",)
#: Environment variable that names a file for the traceback of an error.
DEBUG = "LANDCOVER_DEBUG"


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line too."""

    def error(self, message: str) -> NoReturn:
        """Print what was wrong and exit with code 2."""
        self.exit(2, f"error: {message}; see {self.prog} --help\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the `landcover` command and return its exit code."""
    parser = all_commands()
    if not (sys.argv[1:] if argv is None else argv):
        parser.print_help(sys.stderr)
        return 2
    return _run(parser.parse_args(argv))


def all_commands() -> Parser:
    """The parser of the `landcover` command."""
    parser = Parser(prog="landcover", description=__doc__.split("\n")[0])
    parser.add_argument("--version", action="version", version=f"landcover {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    groups = {"": commands}
    for name, (summary, define, act) in COMMANDS.items():
        first, _, last = name.rpartition(" ")
        if first not in groups:  # where its first command stands, so that help is in their order
            purpose, metavar = GROUPS[first]
            group = commands.add_parser(first, help=purpose, description=purpose)
            groups[first] = group.add_subparsers(metavar=metavar, required=True)
        command = groups[first].add_parser(last, help=summary, description=summary)
        define(command)
        add_quiet(command)
        command.set_defaults(act=act, stage=name, parser=command, program=parser)
    return parser


def script(name: str, argv: Sequence[str] | None = None) -> int:
    """Run one command as a script of its own.

    Parameters
    ----------
    name : str
        Key of `COMMANDS`.
    argv : sequence of str, optional
        Arguments; those of the process by default.
    """
    summary, define, act = COMMANDS[name]
    parser = Parser(description=summary)
    define(parser)
    add_quiet(parser)
    parser.set_defaults(act=act, stage=name, parser=parser)
    return _run(parser.parse_args(argv))


def _run(arguments: Arguments) -> int:
    """Act, time it, and turn errors into one line and exit code 2.

    A command that only asks (``asks``) says what it was asked on standard error, keeps standard
    output for the answer, and leaves the run as it is. Some have no run.
    """
    if "runs" in arguments:  # of several run folders, the one that is written to
        arguments.run = arguments.out or arguments.runs[0]
    try:
        with _stoppable(), _quiet(arguments):
            paths = _act(arguments)
    except Exception as error:  # libraries raise what they like
        return _failed(error, arguments)
    except KeyboardInterrupt as stop:
        if arguments.stage in UNTIL_STOPPED and signal.SIGTERM in stop.args:
            print("stopped, as SIGTERM asked", file=sys.stderr)
            return 0
        goes_on = "; the same command goes on" if arguments.stage in GOES_ON else ""
        print(f"stopped; nothing half-written stays{goes_on}", file=sys.stderr)
        return 130
    for path in dict.fromkeys(paths):
        print(path)
    return 0


def _act(arguments: Arguments) -> list[Path]:
    """Do what was asked for, between what is said of it before and after."""
    asks, of_a_run = getattr(arguments, "asks", False), "run" in arguments
    _print_settings(arguments, sys.stderr if asks else sys.stdout)
    if of_a_run and not asks:
        _print_expected(arguments)
    with running() as watch:
        paths = arguments.act(arguments)
    if not asks and not getattr(arguments, "of_commands", False):  # those measure themselves
        _measure(arguments, watch)
    return paths


class _Nowhere(io.TextIOBase):
    """Text that nobody reads."""

    def write(self, text: str) -> int:
        """Drop the text."""
        return len(text)


@contextmanager
def _quiet(arguments: Arguments) -> Iterator[None]:
    """Drop what is said on the way where that was asked for; answers of what only asks stay."""
    with ExitStack() as stack:
        if arguments.quiet:
            nothing = _Nowhere()
            stack.enter_context(redirect_stderr(nothing))
            if not getattr(arguments, "asks", False):
                stack.enter_context(redirect_stdout(nothing))
        yield


@contextmanager
def _stoppable() -> Iterator[None]:
    """Let other programs stop a command by SIGTERM as Ctrl-C does, so that it cleans up too."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    stops = [signal.SIGTERM]
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else a shell ignores it
        stops.append(signal.SIGINT)
    earlier = {stop: signal.signal(stop, _interrupt) for stop in stops}
    try:
        yield
    finally:
        for stop, handler in earlier.items():
            signal.signal(stop, handler)


def _interrupt(number: int, _frame: FrameType | None) -> NoReturn:
    """Stop; SIGTERM once more, which the command that started this one sends, does nothing."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise KeyboardInterrupt(number)


def _failed(error: Exception, arguments: Arguments) -> int:
    """Say in one line what went wrong, and keep the traceback where that was asked for."""
    if isinstance(error, LandcoverError):
        text = in_options(str(error), arguments.parser)
    elif isinstance(error, FileNotFoundError | NotADirectoryError | IsADirectoryError):
        text = f"{error}; check the path"
    elif isinstance(error, OSError) and error.errno:  # not what GDAL's errors are
        text = f"{error}; check free disk space and permissions"
    elif isinstance(error, MemoryError):
        text = (
            "the memory of this machine does not suffice; prepare a smaller area, by --aoi or "
            "--bbox of landcover prep"
        )
    else:
        first = next(iter(str(error).splitlines()), "")
        text = (
            f"{arguments.stage} met what it does not foresee ({type(error).__name__}: {first}); "
            f"set {DEBUG}=FILE to keep the traceback, and report it with the input"
        )
    kept = os.environ.get(DEBUG)
    if kept:
        try:
            write_text(Path(kept), "".join(traceback.format_exception(error)))
            text += f" (the traceback is in {kept})"
        except (OSError, LandcoverError) as refused:
            text += f" (the traceback could not be kept: {refused})"
    print(f"error: {' '.join(text.split())}", file=sys.stderr)
    return 2


def _settings(arguments: Arguments) -> dict[str, str]:
    """What was asked for, as text."""
    hidden = {"act", "asks", "of_commands", "stage", "run", "parser", "program", "idle", "quiet"}
    if len(getattr(arguments, "runs", ())) == 1:  # it is the run then
        hidden.add("runs")
    given = {k: v for k, v in vars(arguments).items() if k not in hidden and v is not None}
    return {name.replace("_", "-"): _text(value) for name, value in given.items()}


def _text(value: object) -> str:
    """A value of an option; of one that was given several times with several values, all of them.

    >>> _text([Path("B02.tif"), 3]), _text([["a.tif", "b.tif"], ["c.tif"]])
    ('B02.tif 3', 'a.tif b.tif; c.tif')
    """
    if not isinstance(value, list | tuple):
        return str(value)
    several = any(isinstance(part, list) for part in value)
    return ("; " if several else " ").join(map(_text, value))


def _print_settings(arguments: Arguments, out: TextIO) -> None:
    """Print what was asked for, without settings that have no effect and switches left alone."""
    idle = {name.replace("_", "-") for name in getattr(arguments, "idle", _none_idle)(arguments)}
    off = {name.replace("_", "-") for name, value in vars(arguments).items() if value is False}
    shown = {
        name: (name != "runs" and _shortened(getattr(arguments, name.replace("-", "_")))) or value
        for name, value in _settings(arguments).items()
        if name not in idle | off
    }
    settings = ", ".join(f"{name} {value}".rstrip() for name, value in shown.items())
    called = [arguments.stage, str(arguments.run)] if "run" in arguments else [arguments.stage]
    print(f"{' '.join(called)}: {settings}", file=out, flush=True)


def _print_expected(arguments: Arguments) -> None:
    """Say how long the same command took before, if that was long.

    Reading the manifest ends a command in a damaged run before anything is done.
    """
    asked = {"command": arguments.stage, "settings": _settings(arguments)}
    for entry in Run(arguments.run).read_manifest()["commands"]:
        if asked.items() <= entry.items() and entry["seconds"] > LONG_S:
            print(f"expected: about {duration(entry['seconds'])}, as it took before", flush=True)


def _none_idle(_arguments: Arguments) -> set[str]:
    return set()


def _shortened(value: object) -> str:
    """The first and the last of many files; "" for anything else."""
    if isinstance(value, list) and value and isinstance(value[0], list):
        return "; ".join(_shortened(part) or _text(part) for part in value)
    if not isinstance(value, list) or len(value) <= FILES_SHOWN or not isinstance(value[0], Path):
        return ""
    return f"{value[0]} ... {value[-1]} ({len(value)} files)"


def _measure(arguments: Arguments, watch: Stopwatch) -> None:
    """Print time, where it went, and peak memory, and keep them in the manifest."""
    seconds, shares, peak_mib = watch.seconds, watch.shares(), peak_memory_mib()
    print(f"{seconds:.1f} s ({describe(shares)}), peak memory {peak_mib} MiB")
    if "run" in arguments:
        Run(arguments.run).log(arguments.stage, _settings(arguments), seconds, shares, peak_mib)


if __name__ == "__main__":
    raise SystemExit(main())
