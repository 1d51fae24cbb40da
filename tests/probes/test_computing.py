"""Features computed by Ray workers equal those of one process."""

import dataclasses
import logging
import os
from pathlib import Path

import numpy as np
import pytest

from keras_video import data
from keras_video.probes import ProbeBody, computing, extract_features
from keras_video.sharded import Event
from tests.probes.test_extraction import small_model


@pytest.fixture(scope="module")
def model():
    return small_model()


@pytest.fixture(scope="module")
def records(tiny_videos):
    return data.read_annotations(tiny_videos / "list.txt", tiny_videos)


class Dying:
    """An in-process engine whose worker dies once in the middle of a job."""

    def run(self, make_worker, jobs):
        worker = make_worker()
        for number, job in enumerate(jobs):
            for count in (1, None):
                yield Event(number, "began")
                values = list(worker(job))[:count]
                yield from (Event(number, "item", value) for value in values)
            yield Event(number, "done")


@pytest.mark.parametrize("tokens", [False, True])
def test_repeated_work_counts_once(tokens, model, records, tmp_path, monkeypatch):
    monkeypatch.setattr(computing, "_VIDEOS_PER_JOB", 3)
    body = ProbeBody(model, tokens)
    expected = extract_features(body, records, cache=tmp_path / "a", verbose=0)
    extracted = extract_features(body, records, cache=tmp_path / "b", verbose=0, engine=Dying())
    np.testing.assert_array_equal(extracted.features, expected.features)
    assert (
        extracted.computed == 8
        and extracted.keys == expected.keys
        and extracted.records == expected.records
    )
    repeated = extract_features(body, records, cache=tmp_path / "b", verbose=0, engine=Dying())
    assert repeated.computed == 0


def test_relative_paths_and_unreadable_videos(model, records, tiny_videos, tmp_path, monkeypatch):
    monkeypatch.chdir(tiny_videos)
    names = [
        *(str(Path(record.path).relative_to(tiny_videos)) for record in records[:2]),
        "bad.mp4",
    ]
    listed = [data.Record(name, (0,)) for name in names]
    body, options = ProbeBody(model), {"cache": tmp_path, "verbose": 0, "engine": Dying()}
    with pytest.raises(Exception, match="cannot decode .*bad.mp4"):
        extract_features(body, listed, **options)
    for _ in range(2):
        extracted = extract_features(body, listed, on_error="skip", **options)
        assert extracted.failed == ("bad.mp4",) and len(extracted) == 2


@pytest.mark.slow
def test_a_cluster_with_a_killed_worker(model, records, tmp_path, monkeypatch, caplog):
    pytest.importorskip("ray")
    from keras_video.sharded import RayEngine

    monkeypatch.setattr(computing, "_VIDEOS_PER_JOB", 2)
    killer = Killer(tmp_path / "killed")
    monkeypatch.setattr(computing, "_Worker", killer)
    body = ProbeBody(model)
    expected = extract_features(body, records, cache=tmp_path / "a", verbose=0)
    options = {"verbose": 0, "engine": RayEngine(workers=2)}
    with caplog.at_level(logging.WARNING):
        extracted = extract_features(body, records, cache=tmp_path / "b", **options)
    assert "A worker died in videos" in caplog.text
    np.testing.assert_allclose(extracted.features, expected.features, rtol=1e-5, atol=1e-6)
    assert extracted.keys == expected.keys and extracted.computed == 8
    # Errors of workers propagate.
    bad = [dataclasses.replace(records[0], path=str(tmp_path / "bad.mp4"))]
    Path(bad[0].path).write_bytes(b"no video" * 50)
    with pytest.raises(Exception, match="cannot decode .*bad.mp4"):
        extract_features(body, bad, cache=tmp_path / "b", **options)


class Killer:
    """Creates workers, the first of which kills its process at its second video."""

    kind = computing._Worker

    def __init__(self, mark):
        self.mark = mark

    def __call__(self, *arguments):
        worker = self.kind(*arguments)

        def work(job):
            for number, value in enumerate(worker(job)):
                if number and not self.mark.exists():
                    self.mark.touch()
                    os.kill(os.getpid(), 9)
                yield value

        return work
