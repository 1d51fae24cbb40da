import keras
import numpy as np
import pytest
from keras import layers

from keras_video import inference
from keras_video.applications.model import VideoModel, classifier
from keras_video.inference.attribution import full_size, over_space, over_time
from keras_video.layers.attention import AttentivePooling, TokenAttention
from keras_video.layers.transformer_block import TransformerBlock
from tests.applications import families

FRAMES, SIZE = 8, 32


def color_classes():
    """A model whose class 0 measures the red in a clip and class 1 the green."""
    clip = keras.Input((FRAMES, SIZE, SIZE, 3))
    x = layers.Conv3D(3, (2, 4, 4), (2, 4, 4), use_bias=False, name="mean")(clip)
    x = layers.ReLU(name="features")(x)
    x = layers.GlobalAveragePooling3D(name="avg_pool")(x)
    model = VideoModel(clip, classifier(x, 3, "softmax", dropout=0))
    kernel = np.zeros((2, 4, 4, 3, 3), "float32")
    kernel[..., range(3), range(3)] = 1
    model.get_layer("mean").set_weights([kernel])
    model.get_layer("fc_cls").set_weights([10 * np.eye(3, dtype="float32"), np.zeros(3)])
    return model


@pytest.fixture(scope="module")
def colored():
    """Red in the upper left quarter of the first half, green in the lower right of the second."""
    clip = np.zeros((FRAMES, SIZE, SIZE, 3), "float32")
    clip[:4, :16, :16, 0] = 2
    clip[4:, 16:, 16:, 1] = 1
    return clip


@pytest.mark.parametrize(
    ("index", "time", "place"),
    [
        (0, slice(0, 4), (slice(0, 16), slice(0, 16))),
        (None, slice(0, 4), (slice(0, 16), slice(0, 16))),  # more red than green: class 0
        (1, slice(4, 8), (slice(16, 32), slice(16, 32))),
    ],
)
def test_the_map_highlights_the_evidence_for_the_class(colored, index, time, place):
    heatmap = inference.gradcam(color_classes(), colored, class_index=index)
    assert heatmap.shape == (FRAMES, SIZE, SIZE)
    assert heatmap.min() >= 0 and heatmap.max() == 1
    assert heatmap[(time, *place)].sum() > 0.8 * heatmap.sum()


def test_no_evidence_for_a_class_gives_an_empty_map(colored):
    assert not inference.gradcam(color_classes(), colored, class_index=2).any()


def test_the_class_may_depend_on_only_part_of_the_features(colored):
    model = color_classes()
    colored = colored.copy()
    colored[..., 1] = 1  # green everywhere, but the requested class is red
    heatmap = inference.gradcam(model, colored, class_index=0, layer="mean")
    assert heatmap[:4, :16, :16].sum() > 0.8 * heatmap.sum()


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["tsm", "slowfast", "c3d", "c2d", "s3d", "video_resnet", "x3d", "tpn"]
)
def test_families_of_convolutions(name):
    clip = families.clips(name)[0]
    heatmap = inference.gradcam(families.shared(name), clip)
    assert heatmap.shape == clip.shape[:3]
    assert np.isfinite(heatmap).all() and heatmap.min() >= 0 and heatmap.max() in (0, 1)


def timesformer(attention):
    model = families.build("timesformer", attention=attention, input_shape=(2, 48, 32, 3))
    families.randomize(model)
    return model


@pytest.mark.parametrize("attention", ["divided_space_time", "joint_space_time", "space_only"])
def test_uniform_attention_gives_a_uniform_map(attention):
    model = timesformer(attention)
    for layer in model.layers:
        if "attn" in layer.name:
            layer.qkv.kernel.assign(0 * layer.qkv.kernel)
            layer.qkv.bias.assign(0 * layer.qkv.bias)
    heatmap = inference.attention_rollout(model, np.ones((2, 48, 32, 3), "float32"))
    np.testing.assert_allclose(heatmap, np.ones((2, 48, 32)), rtol=1e-5)


def test_the_attended_patch_is_located():
    model = timesformer("joint_space_time")
    embedding = model.get_layer("embedding")
    mark = np.zeros((1, 7, 32), "float32")
    mark[0, 1 + 3] = 50 * np.where(np.arange(32) % 2, 1, -1)  # second row, right
    embedding.pos_embed.assign(mark)
    for layer in model.layers:
        if "attn" in layer.name:
            kernel = np.zeros((32, 96), "float32")
            kernel[:, 32:64] = np.where(np.arange(32) % 2, 1, -1)[:, None] / 32  # keys: the marker
            bias = np.r_[np.full(32, 10.0), np.zeros(64)]  # queries: anything
            layer.qkv.kernel.assign(kernel)
            layer.qkv.bias.assign(bias)
    clip = np.random.default_rng(0).normal(size=(2, 48, 32, 3)).astype("float32")
    heatmap = inference.attention_rollout(model, clip)
    brightest = np.unravel_index(heatmap[0].argmax(), (48, 32))
    assert 16 <= brightest[0] < 32 and brightest[1] >= 16
    assert heatmap[:, 40, 4].max() < 0.1


def rows_of_weights(rng, *shape):
    weights = rng.uniform(size=shape)
    return weights / weights.sum(-1, keepdims=True)


def test_divided_attention_is_a_product_with_matrices_over_all_tokens():
    frames, patches = 3, 4
    rng = np.random.default_rng(0)
    token = rng.uniform(size=(1, 1 + frames * patches))
    time = rows_of_weights(rng, 1, 1 + patches, frames, frames)
    matrix = np.zeros((13, 13))
    matrix[0, 0] = 1
    for place in range(patches):
        at = 1 + place + patches * np.arange(frames)
        matrix[np.ix_(at, at)] = time[0, 1 + place]
    np.testing.assert_allclose(over_time(token, time), token @ matrix)
    space = rows_of_weights(rng, 1, frames, 1 + patches, 1 + patches)
    matrix = np.zeros((13, 13))
    for frame in range(frames):
        at = 1 + frame * patches + np.arange(patches)
        matrix[np.ix_(at, at)] = space[0, frame, 1:, 1:]
        matrix[at, 0] = space[0, frame, 1:, 0]
        matrix[0, at] = space[0, frame, 0, 1:] / frames
        matrix[0, 0] += space[0, frame, 0, 0] / frames
    np.testing.assert_allclose(over_space(token, space), token @ matrix)


def test_invalid_arguments_are_rejected(colored):
    model = color_classes()
    with pytest.raises(ValueError, match=r"\(32, 32, 3\)"):
        inference.gradcam(model, colored[0])
    with pytest.raises(ValueError, match="class_index=3: the model has 3"):
        inference.gradcam(model, colored, class_index=3)
    with pytest.raises(ValueError, match="layer='mist'"):
        inference.gradcam(model, colored, layer="mist")
    with pytest.raises(ValueError, match="no attention"):
        inference.attention_rollout(model, colored)
    former = families.shared("timesformer")
    with pytest.raises(ValueError, match="attention_rollout"):
        inference.gradcam(former, families.clips("timesformer")[0])


ROLLED = ("videomae", "vivit", "vjepa2")


@pytest.mark.parametrize("name", ROLLED)
def test_handcrafted_attention_is_propagated_through_all_blocks(name, monkeypatch):
    """Relevance times (weights of a block + identity) / 2, from the last block to the first."""
    model, clip = families.shared(name), families.clips(name)[0]
    blocks = [layer for layer in model.layers if isinstance(layer, TransformerBlock)]
    tokens = blocks[0].output.shape[1]
    rng = np.random.default_rng(0)
    heads = {block.attn: rows_of_weights(rng, 1, 2, tokens, tokens) for block in blocks}
    probe = rows_of_weights(rng, 1, 2, 1, tokens)
    fixed_weights = lambda layer, x: keras.ops.convert_to_tensor(heads[layer], "float32")  # noqa: E731
    monkeypatch.setattr(TokenAttention, "weights_of", fixed_weights)
    monkeypatch.setattr(AttentivePooling, "weights_of", lambda *_: probe.astype("float32"))
    start = {"videomae": np.full(tokens, 1 / tokens), "vivit": np.eye(tokens)[0]}
    relevance = start.get(name, probe.mean((0, 1))[0])
    for block in reversed(blocks):
        matrix = heads[block.attn].mean((0, 1))
        relevance = relevance @ (matrix + np.eye(tokens)) / 2
    patches = relevance[tokens - 32 :].reshape(2, 4, 4)
    heatmap = inference.attention_rollout(model, clip)
    assert heatmap.shape == (4, 32, 32)
    expected = full_size(keras.ops.convert_to_tensor(patches[..., None], "float32"), (4, 32, 32))
    expected = keras.ops.convert_to_numpy(expected)
    np.testing.assert_allclose(heatmap, expected / expected.max(), atol=1e-5)


@pytest.mark.parametrize("name", ROLLED)
def test_a_tubelet_that_all_tokens_attend_to_is_located(name, monkeypatch):
    model, clip = families.shared(name), families.clips(name)[0]
    grid, place = (2, 4, 4), (1, 2, 3)
    block = next(layer for layer in model.layers if isinstance(layer, TransformerBlock))
    tokens = block.output.shape[1]
    index = tokens - 32 + np.ravel_multi_index(place, grid)
    looks = np.zeros((1, 2, tokens, tokens), "float32")
    looks[..., index] = 1
    monkeypatch.setattr(TokenAttention, "weights_of", lambda *_: keras.ops.convert_to_tensor(looks))
    heatmap = inference.attention_rollout(model, clip)
    time, row, column = np.unravel_index(heatmap.argmax(), heatmap.shape)
    assert (time // 2, row // 8, column // 8) == place
    assert heatmap[0, 4, 4] < 0.2


@pytest.mark.parametrize("name", ROLLED)
def test_weights_are_the_attention_of_the_layers(name):
    model, clips = families.shared(name), families.clips(name)
    layer = next(layer for layer in model.layers if isinstance(layer, TransformerBlock)).attn
    tokens = 33 if name == "vivit" else 32
    x = np.random.default_rng(0).normal(size=(2, tokens, 48)).astype("float32")
    weights = keras.ops.convert_to_numpy(layer.weights_of(x))
    assert weights.shape == (2, 2, x.shape[1], x.shape[1])
    np.testing.assert_allclose(weights.sum(-1), 1, atol=1e-5)
    values = keras.ops.convert_to_numpy(layer.project(x)[2])
    attended = np.einsum("bhqk,bkhc->bqhc", weights, values).reshape(x.shape)
    np.testing.assert_allclose(layer(x), layer.proj(attended), atol=1e-5)
    assert inference.attention_rollout(model, clips[0]).max() == 1


@pytest.mark.parametrize("name", ["swin3d", "mvit", "uniformer"])
def test_pooled_or_windowed_attention_is_unsupported(name):
    with pytest.raises(ValueError, match="no attention over all tokens"):
        inference.attention_rollout(families.shared(name), families.clips(name)[0])
