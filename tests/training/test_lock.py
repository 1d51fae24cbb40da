import os
import signal
import socket
import subprocess
import sys

import pytest

from keras_video.training.lock import FolderInUseError, FolderLock

# Says when it holds the folder, and holds it until its input ends.
HOLDER = (
    "import sys\nfrom keras_video.training.lock import FolderLock\n"
    "lock = FolderLock(sys.argv[1]); print('held', flush=True); sys.stdin.read()\n"
)


@pytest.fixture
def holder(tmp_path):
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"held\n"
        yield process
        process.kill()


def test_a_second_process_is_rejected_and_names_the_first(tmp_path, holder):
    named = rf"in use by process {holder.pid} on {socket.gethostname()}"
    with pytest.raises(FolderInUseError, match=named):
        FolderLock(tmp_path)
    with pytest.raises(FolderInUseError, match=named):  # the first rejection changed nothing
        FolderLock(tmp_path)
    link = tmp_path.parent / f"{tmp_path.name}_link"
    link.symlink_to(tmp_path)
    with pytest.raises(FolderInUseError, match=named):
        FolderLock(link)


@pytest.mark.parametrize("end", ["kill", "well"])
def test_a_process_that_has_ended_blocks_nobody(tmp_path, holder, end):
    if end == "kill":
        holder.send_signal(signal.SIGKILL)
    else:
        holder.stdin.close()
    holder.wait(timeout=30)
    lock = FolderLock(tmp_path)
    with pytest.raises(FolderInUseError, match=f"process {os.getpid()} on"):
        FolderLock(tmp_path)
    lock.release()
    lock.release()
    FolderLock(tmp_path).release()


def test_an_owner_that_cannot_be_read_is_another_process(tmp_path):
    lock = FolderLock(tmp_path)
    (tmp_path / ".run.lock.json").write_text("{")
    with pytest.raises(FolderInUseError, match="in use by another process"):
        FolderLock(tmp_path)
    lock.release()


def test_a_file_system_without_locks_is_reported(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(
        "filelock.FileLock.acquire", lambda self: (_ for _ in ()).throw(NotImplementedError("none"))
    )
    lock = FolderLock(tmp_path)
    assert f"Cannot lock {tmp_path}" in caplog.text
    lock.release()
