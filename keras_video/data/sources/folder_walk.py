"""Recursive listing of the files of a dataset folder."""

import os
from pathlib import Path

# Folders that operating systems and tools leave in a dataset: copies, thumbnails and trash.
_TOOL_FOLDERS = frozenset(
    ("__macosx", "@eadir", "@recycle", "#recycle", "$recycle.bin", "system volume information")
    + ("lost+found", "__pycache__")
)


def is_left_out(name):
    """Whether a file or folder of this name is hidden, or created by a system or tool.

    For example `.ipynb_checkpoints`, `._clip.mp4`, `__MACOSX` and `@eaDir`.
    """
    return name.startswith(".") or name.lower() in _TOOL_FOLDERS


def walk_folder(folder, follow_links=True):
    """Walks a folder and its subfolders, in sorted order.

    Args:
        folder: the top folder. It may be hidden or a link itself.
        follow_links: whether to go into folders that are links. Links that lead back to a folder
            they are in are not followed. Files that are links count as files.

    Yields:
        `(folder, names of its files)`, except what `is_left_out`. Broken links count as
        files, so that reading them reports what is missing.

    Raises:
        OSError: a folder cannot be read.
    """
    folder = Path(folder)
    yield from _walk(folder, follow_links, {_identity(folder)})


def _walk(folder, follow_links, above):
    # Entries know their type without a system call each: folders of frames hold millions.
    with os.scandir(folder) as entries:
        entries = sorted((entry for entry in entries if not is_left_out(entry.name)), key=_name)
    files = [entry.name for entry in entries if entry.is_file() or _is_broken_link(entry)]
    yield folder, files
    for entry in entries:
        if not entry.is_dir() or (entry.is_symlink() and not follow_links):
            continue
        identity = _identity(entry)
        if identity not in above:
            yield from _walk(folder / entry.name, follow_links, above | {identity})


def _name(entry):
    return entry.name


def _is_broken_link(entry):
    return entry.is_symlink() and not Path(entry.path).exists()


def _identity(folder):
    status = Path(folder).stat()
    return status.st_dev, status.st_ino
