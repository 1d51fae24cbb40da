import numpy as np
import pytest

from keras_video.applications import TSN
from keras_video.applications.architectures import find_architecture
from keras_video.applications.c2d import C2D
from keras_video.weights import load_state
from keras_video.weights.dialects import recognize
from tests import modern_reference, reference
from tests.fixtures import rule
from tests.weights import published
from tests.weights.test_dialects import BLOBS, renamed

SLOWFAST = (
    (r"^blocks\.0\.(conv|norm)\.", r"s1.pathway0_stem.\1."),
    (r"^blocks\.1\.res_blocks\.", "s2.pathway0_res"),
    *((rf"^blocks\.{n}\.res_blocks\.", f"s{n}.pathway0_res") for n in "345"),
    (r"branch1_conv", "branch1"),
    (r"branch1_norm", "branch1_bn"),
    (r"branch2\.conv_(.)", r"branch2.\1"),
    (r"branch2\.norm_(.)", r"branch2.\1_bn"),
    (r"stem\.norm", "stem.bn"),
    (r"^blocks\.6\.proj\.", "head.projection."),
)


@pytest.mark.parametrize(("depth", "count"), [(50, 24327632), (101, 43319760)])
def test_parameter_counts(depth, count):
    assert reference.learned(C2D(depth=depth, input_shape=(4, 32, 32, 3))) == count


@pytest.mark.parametrize(
    ("arguments", "shape"),
    [
        ({}, (None, 3, 2, 3, 2048)),
        ({"temporal_pool": False}, (None, 7, 2, 3, 2048)),
        ({"stem_padding": False}, (None, 3, 2, 3, 2048)),
    ],
    ids=str,
)
def test_frames_are_pooled_or_preserved(arguments, shape):
    model = C2D(include_top=False, input_shape=(7, 64, 80, 3), **arguments)
    assert model.output_shape == shape
    # 32 x 40 pixels; without padding, the last window has to fit.
    unpadded = "stem_padding" in arguments
    assert model.get_layer("maxpool").output.shape[2:4] == ((15, 19) if unpadded else (16, 20))


def test_without_temporal_pooling_it_is_an_image_network():
    """MMAction2's file without a temporal pooling has the names and the logits of TSN."""
    manifest = published.LAYOUTS["t03_r00"]
    state = rule.reference_weights(manifest, 0)
    classes = dict(manifest)["cls_head.fc_cls.bias"][0]
    clips = np.random.default_rng(0).normal(size=(1, 3, 32, 32, 3)).astype("float32")
    arguments = {"input_shape": (3, 32, 32, 3), "classes": classes}
    arguments["classifier_activation"] = None
    frames = TSN(backbone="resnet50", segments=3, **arguments)
    model = C2D(temporal_pool=False, **arguments)
    for network in (frames, model):
        load_state(network, state)
    expected = frames.predict(clips, verbose=0)
    actual = model.predict(clips, verbose=0)
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("blobs", [False, True])
def test_the_slowfast_repositorys_file_does_not_determine_the_pooling(blobs):
    manifest = renamed(modern_reference.load("ptv_c2d_r50").facts["manifest"], *SLOWFAST)
    manifest = [pair for pair in manifest if "num_batches" not in pair[0]]
    manifest = renamed(manifest, *BLOBS) if blobs else manifest
    state = {name: np.broadcast_to(np.float32(1), shape) for name, shape in manifest}
    dialect = recognize(state)
    assert dialect.name == ("slowfast_caffe2" if blobs else "slowfast")
    assert dialect.score(state) == 1
    network = find_architecture(state, dialect)
    assert (network.constructor, network.arguments) == ("C2D", {"depth": 50})
    assert network.undetermined.keys() == {"temporal_pool"}
    load_state(C2D(temporal_pool=False, input_shape=(2, 32, 32, 3)), state)


def test_pytorchvideo_counts_the_pooling_among_its_blocks():
    manifest = modern_reference.load("ptv_c2d_r50").facts["manifest"]
    closer = [(rf"^blocks\.{n}\.", f"blocks.{n - 1}.") for n in range(3, 7)]
    state = {name: np.broadcast_to(np.float32(1), s) for name, s in renamed(manifest, *closer)}
    network = find_architecture(state, recognize(state))
    assert network.arguments == {"depth": 50, "temporal_pool": False}


def test_rejects_a_depth_without_bottlenecks():
    with pytest.raises(ValueError, match="depth=18"):
        C2D(input_shape=(4, 32, 32, 3), depth=18)
