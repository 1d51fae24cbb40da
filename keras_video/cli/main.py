"""The `keras-video` command: each subcommand is a module of this package."""

import ast
import difflib
import importlib
import os
import re
import sys
import textwrap
import traceback
from pathlib import Path

from absl import flags, logging

from keras_video.quiet import quiet_start

COMMANDS = {
    "Train and evaluate": (
        *("train", "pretrain", "probe", "label-next", "evaluate", "fuse", "plot"),
    ),
    "Use a model": ("predict", "spans", "webcam", "features", "gradcam", "export", "serve"),
    "Choose a model": ("zoo", "summary", "benchmark", "convert"),
    "Prepare data": (
        "check",
        "browse",
        "prepare lists",
        "prepare frames",
        "prepare flow",
        "prepare audio",
        "prepare resized",
        "pack",
        "serve-data",
    ),
}

_EPILOG = """Run keras-video COMMAND --help for the flags of a command. To get started, train a
small model on synthetic clips:

    keras-video train --row tsn_r18_1x1x4_moving_shapes --work_dir runs/first"""
# Commands that had another name in earlier versions.
_RENAMED = {"prepare tfrecords": "keras-video pack"}
# The hint after an unreadable video, for commands that can skip it.
_SKIP = "--on_error=skip skips videos that cannot be read."


def main(arguments=None):
    """Runs a subcommand.

    Args:
        arguments: command-line arguments; those of this process if `None`.

    Returns:
        The exit status: 0, 1 after an error, 2 for an invalid command line, 130 after an
        interruption.
    """
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    if arguments[:1] == ["help"] and len(arguments) > 1:
        arguments = [*arguments[1:], "--help"]
    if not arguments or arguments[0] in ("--help", "-h", "help"):
        print(overview())
        return 0 if arguments else 2
    name, *rest = arguments
    if name == "prepare" and rest and not rest[0].startswith("-"):
        name, *rest = f"{name} {rest[0]}", *rest[1:]
    if name == "prepare" and set(rest) & {"--help", "-h"}:
        names = [name for name in _names() if name.startswith("prepare ")]
        print("\n".join(_command_lines(names)))
        return 0
    if name not in _names():
        return _unknown_command(name)
    # Silences TensorFlow's messages at import and about missing devices.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with quiet_start():
        module = importlib.import_module(_module(name))
    return run_command(module, f"keras-video {name}", rest)


def run_command(module, name, arguments):
    """Runs a command's module: `define(flags)`, then `run(options, arguments)`.

    Errors are reported in a line or two; `--traceback` shows the full traceback.
    """
    command_flags = module_flags(module)
    if "--help" in arguments or "-h" in arguments:
        print(command_help(module, name, command_flags))
        return 0
    try:
        options, rest = command_flags.parse(name, arguments)
    except flags.Error as error:
        return _usage_error(f"{error}\n{name} --help lists the flags.")
    if rest and not getattr(module, "TAKES_ARGUMENTS", False):
        return _usage_error(f"received {rest}, expected flags only: {name} --help lists them.")
    if not flags.FLAGS.is_parsed():
        flags.FLAGS.mark_as_parsed()  # absl.logging reads its own flags there
    logging.use_absl_handler()
    try:
        return _status(module.run(options, rest))
    except KeyboardInterrupt:
        print(f"\n{getattr(module, 'INTERRUPTED', 'Interrupted.')}", file=sys.stderr)
        return 130
    except Exception as error:  # noqa: BLE001
        if options.traceback:
            traceback.print_exc()
        else:
            print(f"{name}: {error_text(error)}", file=sys.stderr)
            if getattr(options, "on_error", None) == "raise" and _is_unreadable(error):
                print(_SKIP, file=sys.stderr)
        return 1


def _status(result):
    """The exit status for what a command returned: nothing, a status or an error message."""
    if isinstance(result, str):
        print(result, file=sys.stderr)
        return 1
    return result or 0


def error_text(error):
    """A one-line message in place of a traceback."""
    text = str(error)
    if isinstance(error, KeyError) and error.args:
        text = str(error.args[0])
    if isinstance(error, MemoryError) or _is_exhausted(error):
        return f"out of memory: {_one_line(text)} Try a smaller --batch_size or --max_views."
    causes = [match["text"] for match in _CAUSE.finditer(text)]
    if causes:
        # TensorFlow reports an error in Python code as a traceback within its own message; in a
        # chain of exceptions, the last one is meant for the user.
        return _one_line(causes[-1])
    text = _one_line(text) or type(error).__name__
    known = isinstance(error, (ValueError, OSError, ImportError, KeyError))
    return text if known else f"{type(error).__name__}: {text} (--traceback shows where)"


# The last lines of a traceback in a TensorFlow message.
_CAUSE = re.compile(
    r"Traceback \(most recent call last\):\n(?:[ \t][^\n]*\n|\n)+(?:[\w.]+: )?"
    r"(?P<text>[^\n]+(?:\n[^\n]+)*)"
)


def _one_line(text, max_length=1200):
    """The text on one line, truncated to `max_length` characters."""
    text = " ".join(text.split())
    if len(text) <= max_length:
        return text
    return f"{text[:max_length]} ... (--traceback shows all)"


def _is_exhausted(error):
    return type(error).__name__ == "ResourceExhaustedError"


def _is_unreadable(error):
    """Whether an error reports a video, image or audio file that cannot be read."""
    return re.search(r"\bcannot (decode|read) ", str(error)) is not None


def module_flags(module):
    """The flags of a command, including `--traceback`."""
    from keras_video.cli.flags import Flags

    defined = Flags()
    module.define(defined)
    defined.group("Errors")
    defined.switch("traceback", False, "show the full traceback of an error")
    return defined


def command_help(module, name, command_flags):
    """The docstring and the flags of a command."""
    return f"{name}\n\n{textwrap.dedent(module.__doc__).strip()}\n{command_flags.help()}"


def overview():
    """Lists all commands, each with the first line of its docstring."""
    lines = ["keras-video COMMAND [--flag=value ...]"]
    for title, names in COMMANDS.items():
        lines += ["", f"{title}:", *_command_lines(names)]
    return "\n".join([*lines, "", _EPILOG])


def _command_lines(names):
    return [f"  {name:19}{_summary(name)}" for name in names]


def _summary(name):
    """The first line of a command's docstring, read without importing the module."""
    file = Path(__file__).with_name(_module(name).rpartition(".")[2] + ".py")
    return ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))).split("\n", 1)[0]


def _module(name):
    return f"keras_video.cli.{name.replace('-', '_').replace(' ', '_')}"


def _names():
    """All commands."""
    return [name for names in COMMANDS.values() for name in names]


def _unknown_command(name):
    if name in _RENAMED:
        return _usage_error(f"{name} has been replaced by {_RENAMED[name]}.")
    close = difflib.get_close_matches(name, _names(), n=3)
    hint = f" Did you mean {' or '.join(close)}?" if close else ""
    return _usage_error(
        f"received the command {name!r}, expected one of {', '.join(_names())}.{hint}"
    )


def _usage_error(text):
    print(f"keras-video: {text}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
