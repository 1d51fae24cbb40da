"""Every row with a network: it builds, has its parameters, takes a training step, is tested.

Only one of the rows that share an architecture, or the components of a training, runs; see
`representatives`. The test protocols of all rows are run with a small network.
"""

import json
import math
from dataclasses import dataclass

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_video import data, training, zoo
from keras_video.data.annotations.records import Record
from keras_video.inference.views import predict_views
from tests.cli.running import call

EVERY = tuple(
    row
    for row in (*zoo.rows(), *zoo.rows(kind="unlisted"), *zoo.rows(kind="example"))
    if row.constructor is not None
)
PUBLISHED = tuple(row for row in EVERY if row.kind != "example")

# Rows whose published parameter count is for another network.
STALE = {"t08_r05", "t08_r06", "t08_r07", "t41_r04", "t41_r08", "t52_r04"}

# Arguments that do not affect the weights.
WEIGHTLESS = ("dropout", "classifier_activation", "include_top")


def architecture(row, ignored=WEIGHTLESS):
    arguments = {key: value for key, value in row.arguments.items() if key not in ignored}
    if row.constructor == "TSN":
        arguments.pop("segments", None)
    return (row.constructor, json.dumps(arguments, sort_keys=True), row.input_shape[-1])


def training_components(row):
    row = zoo.trainable(row)
    settings = row.optimizer
    parts = ("mixup_alpha", "cutmix_alpha", "precise_bn", "multigrid", "joint")
    return (
        row.constructor,
        row.loss.kind,
        row.norm,
        (settings.grouped, settings.classifier_multiplier, settings.norm_decay),
        tuple(bool(getattr(row, part)) for part in parts),
    )


def representatives():
    """`{row: rows whose architecture it represents, including itself}`."""
    chosen, first_rows = {}, {}
    for row in PUBLISHED:
        keys = (architecture(row), training_components(row))
        new = [key for key in keys if key not in first_rows]
        for key in new:
            first_rows[key] = row
        chosen.setdefault(row if new else first_rows[keys[0]], []).append(row)
    return chosen


REPRESENTED = representatives()
CHOSEN = sorted(REPRESENTED, key=lambda row: row.id)


def small_size(row):
    """The smallest image side that the network supports."""
    if row.constructor == "UniFormerV2":
        return 28 if row.arguments["size"] == "large" else 32
    return 224 if row.arguments.get("backbone") == "swin_base" else 32


@pytest.fixture
def eagerly():
    """Runs eagerly: a single step is faster without compiling a graph."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)
    keras.backend.clear_session()


@pytest.fixture
def trained(monkeypatch):
    """The models passed to `fit`."""
    models, fit = [], keras.Model.fit

    def recorded(model, *args, **options):
        models.append(model)
        return fit(model, *args, **options)

    monkeypatch.setattr(keras.Model, "fit", recorded)
    return models


def as_published(model):
    """Trainable parameters, including frozen norms, which the original counts too."""
    scales = [v for v in model.non_trainable_variables if v.path.endswith(("/gamma", "/beta"))]
    learned = [*model.trainable_variables, *scales]
    return sum(math.prod(variable.shape) for variable in learned)


def test_no_row_is_left_out():
    represented = [row for rows in REPRESENTED.values() for row in rows]
    assert sorted(row.id for row in represented) == sorted(row.id for row in PUBLISHED)
    assert len(PUBLISHED) >= 188 + 31


@pytest.mark.slow
@pytest.mark.parametrize("row", CHOSEN, ids=[row.name for row in CHOSEN])
def test_a_row_trains_and_is_tested(row, eagerly, trained, capsys):
    size = small_size(row)
    flags = [f"--row={row.id}", "--dry_run"]
    flags += ["--batch_size=1"] if size > 32 else []
    flags += [f"--size={size}"] if row.spatial else []
    call("train", *flags)
    assert f"One step of {row.name}: " in capsys.readouterr().out
    model = trained[0]
    assert model.optimizer.iterations.numpy() == (len(row.joint) or 1)
    assert model.outputs[0].shape[-1] == (row.classes or 10)
    # These have layers or tables of a fixed size: see `test_row_models`.
    fixed_size = row.constructor in ("C3D", "MViT", "UniFormerV2")
    if row.parameters and row.classes and not fixed_size:
        assert as_published(model) == row.parameters
    if row.spatial:
        check_protocol(zoo.with_views(zoo.resized(row, size), *few_views(row)), model)


def few_views(row):
    """A row's own views, at most two clips (or four frames for TSN)."""
    if row.view_frames is None:
        return min(row.views.frames, 4), row.views.crops
    return min(row.views.clips, 2), row.views.crops


@dataclass(frozen=True)
class Noise:
    """A source of noise, with stacked channels for flow rows."""

    channels: int
    side: int = 60
    stacked: bool = False
    total_frames: int = 60
    annotation_format: object = None
    dtype: str = "uint8"

    def open(self, record, rng=None):
        return self

    def shape(self, clips, clip_len):
        if self.stacked:
            return (clips, None, None, self.channels)
        return (clips and clips * clip_len, None, None, self.channels)

    def read(self, indices):
        frames = len(indices) if self.stacked else indices.size
        generator = np.random.default_rng(indices.sum())
        return generator.integers(
            0, 256, (frames, self.side, self.side + 20, self.channels), np.uint8
        )


def noise_under_protocol(row):
    """The views of one video under a row's protocol."""
    channels, spatial = row.input_shape[-1], row.spatial.test
    # Some rows take their crops from unresized frames.
    stored = 60 if spatial.short_side or spatial.resize else spatial.crop.size
    dataset = data.dataset_from_records(
        [Record("noise", (0,))],
        sampling=data.row_sampling(row, "test"),
        transforms=data.row_transforms(row, "test"),
        view_frames=row.view_frames,
        source=Noise(channels, stored, stacked=channels > 3),
        batch_size=1,
        classes=2,
    )
    clips, labels = next(iter(dataset))
    assert labels.numpy().tolist() == [0]
    return clips.numpy()


def check_protocol(row, model):
    """Views and score averaging are those that the row states."""
    clips = noise_under_protocol(row)
    views = row.views.clips * row.views.crops
    assert clips.shape == (1, views, *row.test_input_shape)
    scores = predict_views(
        model, clips, score_average=row.score_average or "prob", max_views=row.max_views
    )
    assert scores.shape == (1, model.outputs[0].shape[-1])
    assert np.isfinite(scores).all()
    if row.arguments.get("classifier_activation") != "sigmoid":
        assert scores.sum() == pytest.approx(1, abs=1e-4)
    return clips, scores


def small_network(channels):
    """Mean of the pixels, four classes."""
    keras.utils.set_random_seed(0)
    clip = keras.Input((None, None, None, channels))
    x = keras.layers.GlobalAveragePooling3D()(clip)
    x = keras.layers.Dense(4, kernel_initializer="random_normal")(x * 20)
    return keras.Model(clip, keras.layers.Activation("softmax", name="predictions")(x))


def protocols():
    """One row per test protocol."""
    rows = {}
    for row in EVERY:
        if row.spatial is not None:
            key = (row.sampling.test, row.spatial.test, row.score_average, row.view_frames)
            rows.setdefault((*key, row.input_shape), row)
    return list(rows.values())


@pytest.mark.slow
@pytest.mark.parametrize("row", protocols(), ids=lambda row: row.name)
def test_views_are_averaged_as_stated(row, eagerly):
    row = zoo.resized(row, 32)
    model = small_network(row.input_shape[-1])
    clips, scores = check_protocol(row, model)
    kernel, bias = (keras.ops.convert_to_numpy(weight) for weight in model.get_weights())
    logits = clips[0].mean((1, 2, 3)) * 20 @ kernel + bias
    expected = softmax(logits.mean(0)) if row.score_average == "score" else softmax(logits).mean(0)
    np.testing.assert_allclose(scores[0], expected, rtol=1e-3)


def softmax(logits):
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def test_every_row_has_an_optimizer_and_schedule():
    for row in EVERY:
        ready = zoo.trainable(row)
        optimizer = training.row_optimizer(ready, 10)
        rates = [float(optimizer._learning_rate(step)) for step in (0, 5, 10 * ready.epochs - 1)]
        assert all(0 <= rate <= ready.optimizer.learning_rate * 1.0001 for rate in rates), row.id
        assert optimizer.global_clipnorm == row.gradient_clip or not row.published, row.id


def test_stale_counts_are_noted():
    stale_rows = {
        row.id for row in PUBLISHED if any("metafile prints" in note for note in row.notes)
    }
    assert stale_rows == STALE
