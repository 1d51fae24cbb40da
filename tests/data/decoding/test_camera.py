import itertools
import threading
import time

import numpy as np
import pytest

from keras_video.data import DecodeError, LatestFrames, live_frames, open_video
from tests.videos import moving_gradient, write_video

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    path = tmp_path_factory.mktemp("clips") / "clip.mp4"
    return write_video(path, moving_gradient(11), rate=20, bf="2")


def test_a_file_plays_at_its_pace(clip):
    start = time.monotonic()
    frames = list(live_frames(clip))
    images = np.stack([frame.image for frame in frames])
    np.testing.assert_array_equal(images, open_video(clip).read(range(11)))
    assert frames[-1].arrived - start >= 10 / 20
    assert all(a.arrived < b.arrived for a, b in itertools.pairwise(frames))


@pytest.mark.parametrize("source", ["/dev/video77", "no_such_file.mp4", "77"])
def test_a_source_that_cannot_be_opened_is_named(source):
    with pytest.raises(DecodeError, match=source):
        next(live_frames(source))


def test_frames_lag_by_at_most_the_capacity():
    pushed = threading.Event()

    def frames():
        yield from range(50)
        pushed.set()

    with LatestFrames(frames(), capacity=3) as latest:
        assert pushed.wait(10)
        assert list(latest) == [47, 48, 49]
    assert latest.dropped == 47


def test_nothing_is_dropped_when_there_is_time():
    go = threading.Semaphore(0)

    def frames():
        for number in range(5):
            go.acquire()
            yield number

    with LatestFrames(frames(), capacity=1) as latest:
        taken = []
        for _ in range(5):
            go.release()
            taken.append(next(latest))
    assert taken == list(range(5))
    assert latest.dropped == 0


def test_an_error_of_the_source_reaches_the_consumer():
    def frames():
        yield 1
        raise DecodeError("camera", "unplugged")

    with LatestFrames(frames(), capacity=2) as latest:
        assert next(latest) == 1
        with pytest.raises(DecodeError, match="unplugged"):
            next(latest)


def test_leaving_stops_an_endless_source():
    with LatestFrames(itertools.count(), capacity=2) as latest:
        next(latest)
    latest._thread.join(timeout=5)
    assert not latest._thread.is_alive()
    with pytest.raises(ValueError, match="capacity=0"):
        LatestFrames([], capacity=0)
