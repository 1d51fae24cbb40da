"""The files of a folder and of those below it, as datasets are stored."""

import os
from pathlib import Path

# Folders that systems and tools leave in a dataset: copies, thumbnails and what was thrown away.
_TOOL_FOLDERS = frozenset(
    ("__macosx", "@eadir", "@recycle", "#recycle", "$recycle.bin", "system volume information")
    + ("lost+found", "__pycache__")
)


def is_left_out(name):
    """Whether a file or folder of this name is hidden, or of a system or tool.

    Such as `.ipynb_checkpoints`, `._clip.mp4`, `__MACOSX` and `@eaDir`.
    """
    return name.startswith(".") or name.lower() in _TOOL_FOLDERS


def walk_folder(folder, follow_links=True):
    """The folder and those below it, each with its files, sorted.

    Args:
        folder: where to begin. It may be hidden or a link itself.
        follow_links: whether to go into folders that are links. Links that lead back to a folder
            they are in are not followed. Files that are links count as files.

    Yields:
        `(folder, names of its files)`, without what `is_left_out`. Links to nothing count as
        files, so that reading them says what is missing.

    Raises:
        OSError: a folder cannot be read.
    """
    folder = Path(folder)
    yield from _walk(folder, follow_links, {_identity(folder)})


def _walk(folder, follow_links, above):
    # Entries know their kind without a call for each: folders of frames hold millions.
    with os.scandir(folder) as entries:
        entries = sorted((one for one in entries if not is_left_out(one.name)), key=_name)
    files = [one.name for one in entries if one.is_file() or _leads_nowhere(one)]
    yield folder, files
    for entry in entries:
        if not entry.is_dir() or (entry.is_symlink() and not follow_links):
            continue
        identity = _identity(entry)
        if identity not in above:
            yield from _walk(folder / entry.name, follow_links, above | {identity})


def _name(entry):
    return entry.name


def _leads_nowhere(entry):
    return entry.is_symlink() and not Path(entry.path).exists()


def _identity(folder):
    status = Path(folder).stat()
    return status.st_dev, status.st_ino
