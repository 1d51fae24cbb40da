import numpy as np
import pytest

from keras_video.layers.position_tables import cubic_weights, resize_frames, resize_grid

pytestmark = pytest.mark.unit


def table(places, width=3):
    return np.random.default_rng(0).normal(size=(1, places, width)).astype("float32")


@pytest.mark.parametrize("grid", [(4, 4), (7, 9), (2, 3)])
def test_grid_equals_pytorchs_bicubic(grid):
    torch = pytest.importorskip("torch")
    positions = table(1 + 25)
    image = torch.from_numpy(positions[0, 1:].reshape(1, 5, 5, 3)).permute(0, 3, 1, 2)
    theirs = torch.nn.functional.interpolate(image, size=grid, mode="bicubic").numpy()
    ours = resize_grid(positions, grid)
    assert ours.dtype == np.float32
    np.testing.assert_array_equal(ours[:, 0], positions[:, 0])
    np.testing.assert_allclose(
        ours[0, 1:].reshape(*grid, 3), theirs[0].transpose(1, 2, 0), atol=1e-5
    )


def test_grid_of_the_same_size_is_unchanged():
    positions = table(1 + 16)
    np.testing.assert_allclose(resize_grid(positions, (4, 4)), positions, atol=1e-6)


def test_a_grid_that_is_not_square_is_unchanged():
    positions = table(1 + 12)
    assert resize_grid(positions, (5, 5)) is positions


def test_weights_sum_to_one():
    np.testing.assert_allclose(cubic_weights(14, 20).sum(axis=1), 1)


@pytest.mark.parametrize(
    ("frames", "taken"),
    [(4, [0, 2, 4, 6]), (16, np.repeat(range(8), 2)), (3, [0, 2, 5]), (8, range(8))],
)
def test_frames_take_the_nearest_time(frames, taken):
    times = table(8)
    np.testing.assert_array_equal(resize_frames(times, frames), times[:, list(taken)])
