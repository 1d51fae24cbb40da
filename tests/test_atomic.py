import errno
import os
import resource
import stat
import subprocess
import sys

import pytest

from keras_video import atomic

pytestmark = pytest.mark.unit


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_appears_complete_and_keeps_its_suffix(tmp_path):
    path = tmp_path / "new" / "a.weights.h5"
    with atomic.atomic_path(path) as part:
        assert part.name.endswith("a.weights.h5") and part.parent == path.parent
        part.write_bytes(b"12")
        assert not path.exists()
    assert path.read_bytes() == b"12"
    assert names(path.parent) == ["a.weights.h5"]


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "full"), KeyboardInterrupt()])
def test_an_error_leaves_the_old_file_unchanged(tmp_path, error):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(type(error)), atomic.atomic_path(path) as part:
        part.write_text("half of the n")
        raise error
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_file_and_folder_are_fsynced_around_the_rename(tmp_path, monkeypatch):
    order = []
    monkeypatch.setattr(
        atomic.os,
        "fsync",
        lambda fd: order.append("folder" if stat.S_ISDIR(os.fstat(fd).st_mode) else "file"),
    )
    replace = atomic.Path.replace
    monkeypatch.setattr(
        atomic.Path, "replace", lambda self, to: (order.append("rename"), replace(self, to))
    )
    atomic.write_text(tmp_path / "a.txt", "é\r\n")
    assert order == ["file", "rename", "folder"]
    assert (tmp_path / "a.txt").read_bytes() == "é\r\n".encode()


def test_leftovers_of_a_killed_process_are_removed(tmp_path):
    code = (
        "import os, sys\nfrom keras_video import atomic\n"
        "with atomic.atomic_path(sys.argv[1]) as part:\n"
        "    part.write_text('half'); os.kill(os.getpid(), 9)\n"
    )
    path = tmp_path / "a.txt"
    path.write_text("old")
    command = [sys.executable, "-c", code, str(path)]
    assert subprocess.run(command, check=False).returncode == -9
    assert path.read_text() == "old" and len(names(tmp_path)) == 2
    atomic.remove_parts(tmp_path)
    assert names(tmp_path) == ["a.txt"]


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(OSError) as caught:
            atomic.write_bytes(path, bytes(5000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert caught.value.errno == errno.EFBIG
    assert names(tmp_path) == ["a.bin"] and path.read_bytes() == b"old"
