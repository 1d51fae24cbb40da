import pytest

from keras_video.data import DecodeError
from keras_video.data.parallel import in_parallel, make_files, replacing

pytestmark = pytest.mark.unit


def test_results_come_with_their_index(capsys):
    results = dict(in_parallel(lambda item: item * item, [3, 1, 2], workers=2))
    assert results == {0: 9, 1: 1, 2: 4}
    assert "3/3" in capsys.readouterr().out
    assert list(in_parallel(str, [])) == []


def test_errors_propagate():
    def work(item):
        raise KeyError(item)

    with pytest.raises(KeyError, match="7"):
        list(in_parallel(work, [7], show_progress=False))


def test_files_are_written_atomically(tmp_path):
    calls = []

    def make(source, path):
        calls.append(source)
        if source == "bad":
            path.write_text("half")
            raise DecodeError(source, "no video")
        path.write_text(source)

    pairs = [(name, tmp_path / "deep" / f"{name}.txt") for name in ("a", "bad", "b")]
    done = make_files(make, pairs, workers=2, show_progress=False)
    assert (done.created, done.reused) == (2, 0)
    assert done.failed == [("bad", "cannot decode bad: no video")]
    # No partial file remains, so the next run retries exactly what failed.
    assert sorted(path.name for path in (tmp_path / "deep").iterdir()) == ["a.txt", "b.txt"]
    done = make_files(make, pairs, show_progress=False)
    assert (done.created, done.reused, len(done.failed)) == (0, 2, 1)
    assert sorted(calls) == ["a", "b", "bad", "bad"]


def test_folders_are_written_atomically(tmp_path):
    with pytest.raises(RuntimeError), replacing(tmp_path / "frames") as path:
        path.mkdir()
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
    with replacing(tmp_path / "frames") as path:
        path.mkdir()
        (path / "a").write_text("")
    assert (tmp_path / "frames" / "a").exists()
