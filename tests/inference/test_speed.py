import time

import keras
import pytest

from keras_video.inference.speed import measure_speed

pytestmark = pytest.mark.unit


class Sleeper:
    """A stand-in for a model that takes a known time per view."""

    input_shape = (None, 4, 8, 8, 3)

    def __init__(self):
        self.batches = []

    def predict_on_batch(self, clips):
        self.batches.append(tuple(clips.shape))
        time.sleep(0.004 * len(clips))


def test_all_views_of_a_video_are_timed_in_chunks():
    model = Sleeper()
    speed = measure_speed(model, 10, max_views=4, seconds=0, least=3)
    assert speed.videos == 3
    assert 10 < speed.videos_per_second <= 25
    assert 0.04 <= speed.fastest <= speed.slowest
    assert [shape[0] for shape in model.batches] == [4, 4, 2] * 4
    assert model.batches[0][1:] == (4, 8, 8, 3)


def test_another_function_may_run_the_model():
    model, calls = Sleeper(), []
    measure_speed(model, 3, score=lambda clips: calls.append(len(clips)), max_views=2, seconds=0)
    assert calls == [2, 1] * 4
    assert not model.batches


def test_it_runs_for_the_requested_time():
    speed = measure_speed(Sleeper(), 1, seconds=0.1)
    assert 8 < speed.videos <= 25


def test_rejects_unknown_shapes_and_zero_views():
    open_model = keras.Sequential([keras.Input((None, 8, 8, 3)), keras.layers.Flatten()])
    with pytest.raises(ValueError, match=r"\(None, 8, 8, 3\)"):
        measure_speed(open_model, 1)
    with pytest.raises(ValueError, match="views=0"):
        measure_speed(Sleeper(), 0)
