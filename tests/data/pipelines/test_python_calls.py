"""Processes that exit while TensorFlow's threads are still reading."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from keras_video.data.pipelines.python_calls import ProcessEndingError, PythonCalls
from tests.data.pipelines import ending_run, forked_run
from tests.videos import moving_gradient, write_video

REPOSITORY = Path(__file__).resolve().parents[3]
# Far longer than needed and than any wait; without the fix, the processes never end.
SECONDS = 120


def start(way):
    return subprocess.Popen(
        [sys.executable, ending_run.__file__, way],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def end(process):
    try:
        return process.communicate(timeout=SECONDS)[1]
    finally:
        process.kill()


@pytest.mark.slow(every_change=True)
def test_an_error_ends_a_training_whose_videos_are_still_being_read():
    process = start("fit")
    assert "cannot decode 1: it is bad (list.txt:2)" in end(process)
    assert process.returncode == 1


@pytest.mark.slow
def test_a_program_ends_in_the_middle_of_a_pass():
    process = start("exit")
    end(process)
    assert process.returncode == 3


@pytest.mark.slow
def test_calls_that_cannot_be_interrupted_do_not_block_exit():
    process = start("stuck")
    assert "reads of videos did not end within 10 s" in end(process)
    assert process.returncode == 1


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_a_process_that_reads(number):
    process = start("wait")
    assert process.stdout.readline() == "reading\n"
    process.send_signal(number)
    end(process)
    assert process.returncode == -number


def test_calls_are_awaited_interrupted_and_rejected():
    calls, entered, errors = PythonCalls(), threading.Event(), []

    def work():
        try:
            with calls.running():
                entered.set()
                while True:
                    time.sleep(0.001)
        except ProcessEndingError as error:
            errors.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    entered.wait()
    assert calls.end(longest=20)
    thread.join()
    assert len(errors) == 1
    with pytest.raises(ProcessEndingError), calls.running():
        pass


def test_a_call_that_does_not_end_is_not_awaited_forever():
    calls, entered, leave = PythonCalls(), threading.Event(), threading.Event()

    def work():
        with calls.running():
            entered.set()
            while not leave.is_set():
                # Code that swallows all exceptions cannot be interrupted.
                with contextlib.suppress(ProcessEndingError):
                    time.sleep(0.001)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    entered.wait()
    assert not calls.end(longest=0.3)
    leave.set()


@pytest.mark.slow(every_change=True)
@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes cannot be forked")
@pytest.mark.parametrize("before", ["computed", "fresh"])
def test_datasets_are_rejected_where_they_would_hang(before, tmp_path):
    path = str(tmp_path / "video.mp4")
    write_video(path, moving_gradient(8))
    command = [sys.executable, forked_run.__file__, before, path]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=SECONDS)
    read, load = done.stdout.splitlines()[:2]
    assert read == "[(2, 48, 64, 3)]", done.stderr[-2000:]
    if before == "computed":
        assert load.startswith("RuntimeError this process was forked after") and "spawn" in load
    else:
        assert load == "[[[1, 1, 16, 16, 3]]]"
