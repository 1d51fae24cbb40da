import keras
import numpy as np
import pytest
from keras import ops

from keras_video.layers import WinogradConv
from keras_video.layers.winograd import INPUTS, KERNELS, winograd_kernels
from tests.layers.compare import close

pytestmark = pytest.mark.unit

CASES = [
    # kernel, input without batch and channels
    ((3, 3), (7, 6)),
    ((3, 5), (8, 5)),
    ((3, 3), (1, 4)),
    ((3, 1), (13, 1)),
    ((3, 3, 3), (5, 7, 6)),
    ((3, 3, 3), (1, 8, 3)),
    ((1, 3, 3), (3, 9, 4)),
    ((5, 3, 1), (4, 2, 3)),
    ((3, 1, 1), (8, 3, 4)),
    ((3, 1, 1), (1, 2, 2)),
    ((3, 1, 3), (6, 2, 5)),
]


def pair(kernel_size, shape, **arguments):
    """A plain convolution and the one with fewer multiplications, with equal weights."""
    rng = np.random.default_rng(0)
    layer = keras.layers.Conv2D if len(kernel_size) == 2 else keras.layers.Conv3D
    plain = layer(4, kernel_size, padding="same", **arguments)
    fast = WinogradConv(4, kernel_size, **{"use_bias": True, **arguments})
    for layer in (plain, fast):
        layer.build((None, *shape, 3))
    kernel, *bias = (
        rng.normal(size=weight.shape).astype("float32") for weight in plain.get_weights()
    )
    plain.set_weights([kernel, *bias])
    fast.set_weights([*winograd_kernels(kernel), *bias])
    return plain, fast, rng.normal(size=(2, *shape, 3)).astype("float32")


@pytest.mark.parametrize(("kernel_size", "shape"), CASES)
def test_equals_the_plain_convolution(kernel_size, shape):
    plain, fast, x = pair(kernel_size, shape)
    y = fast(x)
    close(y, plain(x), 1e-5)
    assert tuple(y.shape) == fast.compute_output_shape(x.shape)


def test_activation_and_no_bias():
    plain, fast, x = pair((3, 3), (6, 6), use_bias=False, activation="relu")
    y = fast(x)
    assert ops.min(y) == 0
    close(y, plain(x), 1e-5)


def test_a_product_for_every_position_and_tap():
    """Any kernel of size 3 yields four outputs: the identity of the paper's three matrices."""
    rng = np.random.default_rng(0)
    kernel, signal = rng.normal(size=3), rng.normal(size=6)
    m = (KERNELS @ kernel) * (INPUTS @ signal)
    outputs = [
        m[:5].sum(),
        m[1] - m[2] + 2 * (m[3] - m[4]),
        m[1] + m[2] + 4 * (m[3] + m[4]),
        m[1] - m[2] + 8 * (m[3] - m[4]) + m[5],
    ]
    np.testing.assert_allclose(outputs, np.correlate(signal, kernel, "valid"), rtol=1e-12)


def test_a_saved_model_is_restored(tmp_path):
    _, fast, x = pair((3, 3, 3), (4, 5, 6), activation="relu")
    inputs = keras.Input(x.shape[1:])
    model = keras.Model(inputs, fast(inputs))
    model.save(tmp_path / "model.keras")
    close(keras.models.load_model(tmp_path / "model.keras")(x), model(x), 0)


@pytest.mark.parametrize("kernel_size", [(1, 3), (3, 2), (3, 5, 3), (1, 1, 1)])
def test_other_kernels_are_rejected(kernel_size):
    with pytest.raises(ValueError, match=r"kernel_size=\("):
        WinogradConv(4, kernel_size)


def test_an_unknown_length_is_rejected():
    with pytest.raises(ValueError, match="expected a known axis 1"):
        WinogradConv(4, (3, 3))(keras.Input((None, 8, 3)))
