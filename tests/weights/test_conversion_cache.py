"""Converted checkpoints are written once and atomically."""

import threading
import time

import pytest

from keras_video.weights.fetch import cached_conversion

pytestmark = pytest.mark.unit

NAME = "tsn_r50-0123abcd.pth"


def left_in(folder):
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def convert_to(content, calls):
    def convert(target):
        calls.append(target)
        assert target.name.endswith(".weights.h5")
        target.write_bytes(content)

    return convert


def test_a_conversion_runs_once_per_content_and_key(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))
    checkpoint = tmp_path / NAME
    checkpoint.write_bytes(b"one")
    calls = []
    first = cached_conversion(checkpoint, "tsn 1", convert_to(b"a", calls))
    assert first == cached_conversion(checkpoint, "tsn 1", convert_to(b"b", calls))
    assert first.read_bytes() == b"a"
    assert first.parent == tmp_path / "home" / "keras_video" / "converted"
    other = cached_conversion(checkpoint, "tsn 2", convert_to(b"c", calls))
    checkpoint.write_bytes(b"changed")
    third = cached_conversion(checkpoint, "tsn 1", convert_to(b"d", calls))
    assert len({first, other, third}) == len(calls) == 3
    assert left_in(first.parent) == sorted([first.name, other.name, third.name])


def test_a_failed_conversion_leaves_nothing(tmp_path):
    checkpoint = tmp_path / NAME
    checkpoint.write_bytes(b"one")

    def convert(target):
        target.write_bytes(b"half")
        raise ValueError("names are missing")

    with pytest.raises(ValueError, match="names are missing"):
        cached_conversion(checkpoint, "key", convert, cache_dir=tmp_path / "converted")
    assert left_in(tmp_path / "converted") == []


def test_concurrent_conversions_run_once(tmp_path):
    checkpoint = tmp_path / NAME
    checkpoint.write_bytes(b"one")
    calls = []

    def convert(target):
        calls.append(target)
        time.sleep(0.2)
        target.write_bytes(b"whole")

    def run():
        cached_conversion(checkpoint, "key", convert, cache_dir=tmp_path / "converted")

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(calls) == 1
    assert len(left_in(tmp_path / "converted")) == 1
