import os

import pytest

from keras_video.quiet import quiet_start

pytestmark = pytest.mark.unit


def test_only_tensorflow_log_lines_are_suppressed(capfd):
    with quiet_start():
        os.write(2, b"WARNING: All log messages before absl::InitializeLog() is called are\n")
        os.write(2, b"I0000 00:00:1795699201.176799   12679 port.cc:153] oneDNN is on\n")
        os.write(2, b"2026-01-01 10:00:00.123: I tensorflow/core/util/port.cc:1] more\n")
        os.write(2, b"a package is missing\n")
        os.write(2, b"W1126 13:27:32.351882 139983558507392 run.py:90] of the package\n")
    kept = "a package is missing\nW1126 13:27:32.351882 139983558507392 run.py:90] of the package\n"
    assert capfd.readouterr().err == kept


def test_lines_are_shown_if_the_import_fails(capfd):
    with pytest.raises(ImportError), quiet_start():
        os.write(2, b"a library is missing\n")
        raise ImportError("no")
    assert capfd.readouterr().err == "a library is missing\n"
