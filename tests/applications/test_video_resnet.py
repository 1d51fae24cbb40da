import keras
import numpy as np
import pytest
from keras import layers

from keras_video import zoo
from keras_video.applications.architectures import find_architecture
from keras_video.applications.video_resnet import VideoResNet
from keras_video.weights import load_state
from keras_video.weights.dialects import recognize
from tests import modern_reference, reference

IG65M = {"kind": "r2plus1d", "depth": 34}
SMALL = {"input_shape": (8, 32, 32, 3)}


@pytest.mark.parametrize(
    ("arguments", "count"),
    [
        ({"kind": "r3d"}, 33371472),
        ({"kind": "mc3"}, 11695440),
        ({"kind": "r2plus1d"}, 31505325),
        (IG65M, 63697175),
        ({**IG65M, "classes": 359}, 63676142),
        ({**IG65M, "classes": 487}, 63741806),
    ],
    ids=str,
)
def test_parameter_counts(arguments, count):
    assert reference.learned(VideoResNet(**SMALL, **arguments)) == count


def middle_widths(model, stage):
    """Of the two convolutions of a stage's first block."""
    names = (f"layer{stage}_0_conv{n}_conv_conv_s" for n in (1, 2))
    return tuple(model.get_layer(name).filters for name in names)


@pytest.mark.parametrize(
    ("arguments", "widths"),
    [
        ({"depth": 18}, [(144, 144), (230, 230), (460, 460), (921, 921)]),
        ({"depth": 34}, [(144, 144), (230, 288), (460, 576), (921, 1152)]),
        (
            {"depth": 34, "middle_width": "block"},
            [(144, 144), (230, 230), (460, 460), (921, 921)],
        ),
        (
            {"depth": 18, "middle_width": "convolution"},
            [(144, 144), (230, 288), (460, 576), (921, 1152)],
        ),
    ],
    ids=str,
)
def test_the_middle_is_of_the_block_or_of_the_convolution(arguments, widths):
    model = VideoResNet(kind="r2plus1d", **SMALL, **arguments)
    assert [middle_widths(model, stage) for stage in range(1, 5)] == widths
    assert model.get_layer("conv1_conv_conv_s").filters == 45
    assert model.get_layer("layer3_1_conv1_conv_conv_s").filters == 576


@pytest.mark.slow(every_change=True)
@pytest.mark.parametrize(
    ("arguments", "epsilon"),
    [
        ({"kind": "r3d"}, 1e-5),
        ({"kind": "r3d", "depth": 34}, 1e-5),
        ({"kind": "r2plus1d"}, 1e-5),
        (IG65M, 1e-3),
        ({**IG65M, "middle_width": "block"}, 1e-5),
        ({**IG65M, "epsilon": 1e-4}, 1e-4),
    ],
    ids=str,
)
def test_every_norm_has_the_epsilon_of_the_published_weights(arguments, epsilon):
    model = VideoResNet(**SMALL, **arguments)
    norms = [layer for layer in model.layers if isinstance(layer, layers.BatchNormalization)]
    assert {norm.epsilon for norm in norms} == {epsilon}


@pytest.mark.parametrize(("kind", "frames"), [("r3d", 2), ("r2plus1d", 2), ("mc3", 9)])
def test_frames_are_halved_except_by_mc3(kind, frames):
    model = VideoResNet(kind=kind, include_top=False, input_shape=(9, 48, 64, 3))
    assert model.output_shape == (None, frames, 3, 4, 512)


def test_only_the_first_stage_of_mc3_is_temporal():
    model = VideoResNet(kind="mc3", **SMALL)
    kernels = {
        layer.name.split("_")[0]: layer.kernel_size
        for layer in model.layers
        if isinstance(layer, layers.Conv3D) and "downsample" not in layer.name
    }
    assert kernels["conv1"] == (3, 7, 7)
    assert kernels["layer1"] == (3, 3, 3)
    assert {kernels[f"layer{stage}"] for stage in (2, 3, 4)} == {(1, 3, 3)}


def ig65m_manifest():
    """Names and shapes of a network of IG-65M, from those of torchvision's with 18 layers."""
    shapes = dict(modern_reference.load("tv_r2plus1d_18").facts["manifest"])
    renamed = {name: shape for name, shape in shapes.items() if not name.startswith("layer")}
    for stage, (count, width) in enumerate(
        zip((3, 4, 6, 3), (64, 128, 256, 512), strict=True), start=1
    ):
        for block in range(count):
            for name, shape in shapes.items():
                if name.startswith(f"layer{stage}.{min(block, 1)}."):
                    new = name.replace(f".{min(block, 1)}.", f".{block}.", 1)
                    if ".0.conv2.0." in new:  # the middle width of this convolution
                        middle = shapes[f"layer{stage}.0.conv2.0.0.weight"][0]
                        shape = [width * 9 // 4 if size == middle else size for size in shape]
                    renamed[new] = shape
    return renamed


def test_the_network_of_ig65m_is_identified_by_its_middle_widths():
    state = {
        name: np.broadcast_to(np.float32(1), shape) for name, shape in ig65m_manifest().items()
    }
    dialect = recognize(state)
    assert dialect.name == "torchvision_video_resnet"
    assert dialect.score(state) == 1
    network = find_architecture(state, dialect)
    assert network.constructor == "VideoResNet"
    assert network.arguments == {**IG65M, "middle_width": "convolution", "epsilon": 1e-3}
    load_state(VideoResNet(**SMALL, **network.arguments), state)


def test_mc3_is_identified_by_its_flat_convolutions():
    manifest = modern_reference.load("tv_r3d_18").facts["manifest"]
    state = {}
    for name, shape in manifest:
        flat = name.startswith(("layer2", "layer3", "layer4")) and len(shape) == 5
        state[name] = np.broadcast_to(np.float32(1), [*shape[:2], 1, *shape[3:]] if flat else shape)
    network = find_architecture(state, recognize(state))
    assert (network.constructor, network.arguments) == ("VideoResNet", {"kind": "mc3", "depth": 18})
    load_state(VideoResNet(kind="mc3", **SMALL), state)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kind": "r4d"}, "kind='r4d': expected one of r3d, mc3, r2plus1d"),
        ({"depth": 50}, "depth=50: expected 18 or 34"),
        ({"kind": "r2plus1d", "middle_width": "stage"}, "middle_width='stage'"),
        ({"kind": "mc3", "middle_width": "block"}, "only supported for kind='r2plus1d'"),
    ],
    ids=str,
)
def test_rejects(arguments, message):
    with pytest.raises(ValueError, match=message):
        VideoResNet(**SMALL, **arguments)


def test_published_settings():
    row = zoo.row("torchvision/r2plus1d_18/KINETICS400_V1")
    assert row.origin == "torchvision 0.28"
    assert row.license == "BSD-3-Clause"
    assert row.spatial.test.size == (128, 171)
    assert row.epochs == 45
    assert row.schedule.warmup_ratio == 0.001
    np.testing.assert_allclose(row.normalize.mean, 255 * np.array([0.43216, 0.394666, 0.37645]))
    keras.backend.clear_session()
