"""A run applies its row's settings: checked for every row with training settings.

The network is replaced by a tiny one with the parts that settings refer to (norms, a classifier, an
auxiliary one), and `fit` by a recorder. The arguments of `fit` are compared with the row.
"""

import dataclasses
import math
import os
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_video import data, training, zoo
from keras_video.applications.model import VideoModel
from keras_video.cli.main import main as command
from keras_video.data.rows import datasets
from keras_video.layers.frozen_stats_batch_norm import FrozenStatsBatchNormalization
from keras_video.layers.tokens import TokenEmbedding
from keras_video.training import from_row, joint, precision, run, run_data, settings
from keras_video.training.settings import RunSettings

# The first check of a mutation uses a subset of the rows, see `tests/mutations.py`.
EVERY = int(os.environ.get("KERAS_VIDEO_WIRING_EVERY", 1))
ROWS = tuple(
    row
    for row in (*zoo.rows(), *zoo.rows(kind="unlisted"), *zoo.rows(kind="example"))
    if row.constructor is not None
)
CLASSES = 4
STEPS = 7  # of an epoch
BATCH = 16  # if a row has none
EXAMPLE = "tsn_r18_1x1x4_moving_shapes"


def tiny_network(row, weights, *, classes, input_shape, input_tensor=None, auxiliary=False):
    """Two convolutions with norms, a token block, a classifier and optionally an auxiliary one."""
    if row.spatial is not None and row.audio is not None:
        clip, audio = keras.Input(input_shape, name="video"), keras.Input((None, None, 1))
        start, inputs = clip, {"video": clip, "audio": audio}
    else:
        inputs = keras.Input(input_shape, name="clip") if input_tensor is None else input_tensor
        start = inputs
        if input_tensor is not None:
            inputs = keras.utils.get_source_inputs(input_tensor)
    dimensions = len(start.shape) - 2
    conv = {2: keras.layers.Conv2D, 3: keras.layers.Conv3D}[dimensions]
    pool = {2: "GlobalAveragePooling2D", 3: "GlobalAveragePooling3D"}[dimensions]
    pool = getattr(keras.layers, pool)
    x = conv(2, 1, use_bias=True, name="conv1_conv")(start)
    x = keras.layers.BatchNormalization(name="conv1_bn")(x)
    x = conv(2, 1, use_bias=False, name="layer1_0_conv1_conv")(x)
    x = keras.layers.BatchNormalization(name="layer1_0_conv1_bn")(x)
    x = pool()(x)
    x = keras.layers.Reshape((1, 1, 1, 2), name="patches")(x)
    x = TokenEmbedding(times=False, name="embedding")(x)
    x = keras.layers.Dense(2, name="blocks_0_mlp_fc1")(x)
    x = keras.layers.GlobalAveragePooling1D(name="tokens")(x)
    logits = keras.layers.Dense(classes, name="fc_cls")(x)
    activation = row.arguments.get("classifier_activation", "softmax")
    outputs = [keras.layers.Activation(activation, name="predictions")(logits)]
    if auxiliary:
        outputs.append(keras.layers.Dense(classes, name="aux_head_fc")(x))
    return VideoModel(inputs, outputs if auxiliary else outputs[0], name="tiny")


@dataclasses.dataclass
class Recorder:
    """The calls that a run made instead of reading, training and saving."""

    networks: list = dataclasses.field(default_factory=list)
    loaders: list = dataclasses.field(default_factory=list)
    fits: list = dataclasses.field(default_factory=list)
    mixed: list = dataclasses.field(default_factory=list)
    joint: list = dataclasses.field(default_factory=list)
    evaluated: list = dataclasses.field(default_factory=list)

    @property
    def fit(self):
        return self.fits[0]

    def copy(self):
        """A copy with separate lists."""
        return Recorder(*(list(getattr(self, field.name)) for field in dataclasses.fields(self)))


def fake_examples(row, classes, batch_size):
    """An empty dataset with the right shapes that claims `STEPS` elements."""
    several = row.loss is not None and row.loss.kind == "binary"
    batch = () if batch_size is None else (0,)
    clips = np.zeros((*batch, *row.input_shape), np.float32) if batch else np.zeros((1, 1, 1, 1))
    labels = np.zeros((*batch, classes), np.float32) if several else np.zeros(batch, np.int32)
    dataset = tf.data.Dataset.from_tensors((clips, labels))
    return dataset.apply(tf.data.experimental.assert_cardinality(STEPS))


def install(monkeypatch):
    """Replaces network, loaders, `fit` and the end of a run by recorders of their calls."""
    calls = Recorder()

    def initial_model(row, weights, **arguments):
        model = tiny_network(row, weights, **arguments)
        calls.networks.append(SimpleNamespace(row=row, weights=weights, **arguments))
        return model

    def fit(model, dataset, **options):
        calls.fits.append(SimpleNamespace(model=model, data=dataset, **options))
        return keras.callbacks.History()

    def build_dataset(records, processing, source, options):
        assert records
        transforms = (
            {} if processing.transforms is None else {"transforms": processing.all_transforms}
        )
        chosen = {**vars(processing), **transforms, **vars(options), "source": source}
        chosen["records"] = records
        calls.loaders.append(SimpleNamespace(**chosen))
        return fake_examples(calls.row, options.classes, options.batch_size)

    def mix(dataset, mixing, **options):
        calls.mixed.append(SimpleNamespace(mixing=mixing, **options))
        return dataset

    def mix_sources(parts):
        calls.joint.append(parts)
        return parts[0].dataset

    strategy = tf.distribute.get_strategy()
    monkeypatch.setattr(run, "replicas", lambda: strategy)
    monkeypatch.setattr(zoo, "initial_model", initial_model)
    monkeypatch.setattr(keras.Model, "fit", fit)
    monkeypatch.setattr(datasets, "build_dataset", build_dataset)
    monkeypatch.setattr(data, "mixed_dataset", mix, raising=False)
    monkeypatch.setattr(joint, "joint_dataset", mix_sources)
    monkeypatch.setattr(run, "finalize", lambda *arguments: calls.evaluated.append(arguments))
    assert run_data.data is data
    return calls


@pytest.fixture
def recorder(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    return install(monkeypatch)


@pytest.fixture(scope="module")
def all_runs(tmp_path_factory):
    """`[(row as resolved by a run, recorded calls)]` of every row, with a user's lists."""
    runs = []
    with pytest.MonkeyPatch.context() as monkeypatch:
        recorder = install(monkeypatch)
        for number, row in enumerate(ROWS[::EVERY]):
            recorded_run(recorder, row, tmp_path_factory.mktemp(f"run{number}"))
            runs.append((zoo.trainable(row), recorder.copy()))
        keras.backend.clear_session()
    return runs


def lists_for(row, folder):
    """Two lists in the annotation format of the row's source, and a file of class names."""
    folder.mkdir(exist_ok=True)
    names = folder / "names.txt"
    names.write_text("".join(f"class {index}\n" for index in range(CLASSES)))
    for number in range(3):
        (folder / f"v{number}").touch()
    sources = zoo.trainable(row).source
    for name, source in (("train.txt", sources.train), ("val.txt", sources.test)):
        line = "v{} 0\n"
        if row.spatial is not None and source.kind in ("rawframes", "flow"):
            line = "v{} 0 30 0\n" if source.with_offset else "v{} 30 0\n"
        (folder / name).write_text("".join(line.format(number) for number in range(3)))
    lists = {
        "train_list": str(folder / "train.txt"),
        "val_list": str(folder / "val.txt"),
        "data_root": str(folder),
        "class_names": str(names),
    }
    if row.spatial is not None and row.audio is None:
        lists["source"] = sources.test.kind
    others = row.joint[1:]
    if others:
        (folder / "parts.txt").write_text("v0 0 3 1\nv1 0 3 0 2\n")
        files = ("parts" if joint.source.kind == "untrimmed_video" else "train" for joint in others)
        lists["joint_lists"] = tuple(str(folder / f"{file}.txt") for file in files)
        lists["joint_roots"] = (str(folder),) * len(others)
    return lists


def recorded_run(recorder, row, folder, **settings):
    """The recorded calls of a run of a row on lists."""
    recorder.row = zoo.trainable(row)
    for name in ("networks", "loaders", "fits", "mixed", "joint", "evaluated"):
        getattr(recorder, name).clear()
    settings = {
        **lists_for(row, folder),
        "work_dir": str(folder / "run"),
        **({} if recorder.row.batch_size_per_device else {"batch_size": BATCH}),
        **settings,
    }
    run.train(RunSettings(row=row.id, **settings))
    return recorder


# Expected values of a row, computed independently of the library.


def expected_rate(row, step, epochs=None):
    """The rate of an iteration, from the row's facts as mmcv defines them."""
    schedule, base = row.schedule, row.optimizer.learning_rate
    stretch = (epochs or row.epochs) / row.epochs
    progress = step // STEPS if schedule.by_epoch else step
    length = schedule.warmup_length
    if schedule.warmup_by_epoch:
        length *= stretch * STEPS
    length = round(length) if schedule.warmup else 0
    if schedule.policy == "step":
        drops = sum(
            progress >= max(1, round(milestone * stretch)) * (1 if schedule.by_epoch else STEPS)
            for milestone in schedule.steps
        )
        rate = max(base * schedule.gamma**drops, schedule.min_rate)
    else:
        least = schedule.min_rate
        if schedule.min_rate_ratio is not None:
            least = schedule.min_rate_ratio * base
        whole = (epochs or row.epochs) * (1 if schedule.by_epoch else STEPS)
        if schedule.after_warmup:
            progress, whole = max(progress - length, 0), whole - length
        rate = least + (base - least) * (1 + math.cos(math.pi * progress / whole)) / 2
    if step < length:
        rate *= schedule.warmup_ratio + (1 - schedule.warmup_ratio) * step / length
    return rate


def expected_factors(row):
    """{variable: (factor of the rate, decay)} of the tiny network."""
    settings, decay = row.optimizer, row.optimizer.weight_decay
    body = settings.body_multiplier
    factors = {
        "conv1_conv/kernel": (1, decay),
        "conv1_conv/bias": (1, decay),
        "layer1_0_conv1_conv/kernel": (1, decay),
        "blocks_0_mlp_fc1/kernel": (1, decay),
        "blocks_0_mlp_fc1/bias": (1, decay),
        "fc_cls/kernel": (1, decay),
        "fc_cls/bias": (1, decay),
        "aux_head_fc/kernel": (1, decay),
        "aux_head_fc/bias": (1, decay),
    }
    norms = ("conv1_bn/gamma", "conv1_bn/beta")
    norms += ("layer1_0_conv1_bn/gamma", "layer1_0_conv1_bn/beta")
    factors |= dict.fromkeys(norms, (1, decay if settings.norm_decay else 0))
    if not settings.bias_decay:
        factors |= {path: (1, 0) for path in factors if path.endswith("/bias")}
    tables = ("embedding/pos_embed", "embedding/cls_token")
    factors |= dict.fromkeys(tables, (1, decay if settings.table_decay else 0))
    for path, (rate, of_path) in factors.items():
        depth = {"embedding": 0, "blocks_0_mlp_fc1": 1}.get(path.split("/")[0], 2)
        distance = 2 - depth
        rate *= settings.layer_decay**distance
        factors[path] = (rate if path.startswith("fc_cls/") else rate * body, of_path)
    if settings.grouped:
        factors |= dict.fromkeys(norms, (1, 0))
        biases = ("conv1_conv/bias", "aux_head_fc/bias", "blocks_0_mlp_fc1/bias")
        factors |= dict.fromkeys(biases, (2, 0))
        many = settings.classifier_multiplier
        factors |= {"fc_cls/kernel": (many, decay), "fc_cls/bias": (2 * many, 0)}
    return factors


def check_optimizer(row, calls):
    model, optimizer = calls.fit.model, calls.fit.model.optimizer
    settings = row.optimizer
    if settings.kind == "rmsprop":
        assert type(optimizer) is training.RMSprop
        stated = (settings.rho, settings.momentum, settings.epsilon, settings.clip_norm)
        actual = (optimizer.rho, optimizer.momentum, optimizer.epsilon, optimizer.clipnorm)
        assert actual == stated
    elif settings.kind == "adamw":
        assert type(optimizer) is training.AdamW
        stated = (settings.beta_1, settings.beta_2, settings.epsilon, settings.layer_decay)
        actual = (optimizer.beta_1, optimizer.beta_2, optimizer.epsilon)
        assert (*actual, optimizer.layer_decay) == stated
    else:
        assert type(optimizer) is training.SGD
        assert (optimizer.momentum, optimizer.nesterov) == (settings.momentum, settings.nesterov)
    assert optimizer.global_clipnorm == row.gradient_clip
    assert optimizer.gradient_accumulation_steps is None
    assert optimizer.use_ema == (row.ema is not None)
    assert not row.ema or optimizer.ema_momentum == row.ema
    optimizer.build(model.trainable_variables)
    expected = expected_factors(row)
    for index, variable in enumerate(model.trainable_variables):
        factors = (optimizer._rates[index], optimizer._decays[index])
        assert factors == pytest.approx(expected[variable.path]), variable.path
    if row.multigrid:
        return
    last = row.epochs * STEPS - 1
    for step in sorted({round(last * part / 9) for part in range(10)}):
        rate = float(optimizer._learning_rate(step))
        assert rate == pytest.approx(expected_rate(row, step), rel=1e-4, abs=1e-9), step


def check_norms(row, calls):
    first, second = (calls.fit.model.get_layer(name) for name in ("conv1_bn", "layer1_0_conv1_bn"))
    trained = {variable.path for variable in calls.fit.model.trainable_variables}
    if row.norm.partial:
        assert first.trainable and not second.trainable
        assert "conv1_bn/gamma" in trained and "layer1_0_conv1_bn/gamma" not in trained
    elif row.norm.frozen:
        assert not first.trainable and not second.trainable
        assert not any("_bn/" in path for path in trained)
    else:
        assert first.trainable and second.trainable
        held = isinstance(second, FrozenStatsBatchNormalization)
        assert held == row.norm.eval_mode
        assert isinstance(first, FrozenStatsBatchNormalization) == row.norm.eval_mode


def check_losses(row, calls):
    model = calls.fit.model
    losses, weights = model.loss, model._compile_loss._user_loss_weights
    weight = 1.0 if row.loss.kind == "binary" else row.loss.weight
    mixes = row.mixup_alpha or row.cutmix_alpha
    for loss in losses:
        name = type(loss).__name__
        if row.loss.kind == "binary":
            assert name == "BinaryCrossentropy" and loss.weight == row.loss.weight
            assert loss.label_smoothing == row.loss.label_smoothing
        elif row.loss.label_smoothing:
            assert name == "SmoothedCrossentropy"
            assert loss.label_smoothing == row.loss.label_smoothing
        else:
            assert name == ("CategoricalCrossentropy" if mixes else "SparseCategoricalCrossentropy")
    if row.loss.auxiliary_weight:
        assert calls.networks[0].auxiliary is True
        assert len(losses) == 2
        assert weights == [weight, row.loss.auxiliary_weight]
        labels = calls.fit.data.element_spec[1]
        assert isinstance(labels, tuple) and len(labels) == 2 and labels[0] == labels[1]
        # The evaluated and saved model has one output.
        assert len(calls.evaluated[0][1].outputs) == 1
    else:
        assert weights == [weight]
        assert len(losses) == 1
        assert not hasattr(calls.networks[0], "auxiliary")


def check_callbacks(row, calls):
    kinds = {type(callback).__name__: callback for callback in calls.fit.callbacks}
    assert {"Restore", "Backup", "EpochSeed", "EpochLog"} <= set(kinds), kinds
    evaluation = kinds.get("MultiViewEvaluation")
    if row.ema is not None:
        evaluation, kinds["BestCheckpoint"] = kinds["AveragedWeights"].callbacks
    assert evaluation.score_average == (row.score_average or "prob")
    assert evaluation.every == (row.evaluation_interval or 1)
    assert evaluation.max_views == (row.max_views or evaluation.max_views)
    metric = "mean_average_precision" if row.loss.kind == "binary" else "top1"
    assert kinds["BestCheckpoint"].monitor == f"val_{metric}"
    assert ("PreciseBatchNorm" in kinds) == (row.precise_bn is not None)
    if row.precise_bn is not None:
        precise = kinds["PreciseBatchNorm"]
        assert (precise.iterations, precise.interval) == dataclasses.astuple(row.precise_bn)
    if row.multigrid:
        return
    scaling = kinds["LearningRateScaling"]
    batch = row.batch_size_per_device or BATCH
    assert scaling.base_batch_size == (row.batch_size or batch)
    assert scaling.global_batch_size == batch
    assert calls.fit.epochs == row.epochs


def check_data(row, calls):
    train, test = calls.loaders[:2]
    assert train.on_error == test.on_error == "raise"
    assert train.classes == CLASSES and train.seed == 0 and train.drop_remainder
    assert train.multi_label == (row.loss.kind == "binary")
    assert test.batch_size == 4
    assert getattr(train, "repeats", 1) == row.repeated_augmentation
    assert getattr(test, "repeats", 1) == 1
    batch = row.batch_size_per_device or BATCH
    assert train.batch_size == batch
    further = [loader.batch_size for loader in calls.loaders[2:]]
    if row.multigrid:  # batches the examples of every shape itself
        assert further and set(further) == {None}
    else:
        assert further == [joint.batch_size_per_device for joint in row.joint[1:]]
    assert (train.transforms is None, train.audio_transforms is None) == (
        not row.spatial,
        not row.audio,
    )
    assert train.training and not test.training
    if row.audio is not None:
        return
    stated = row.source.test.kind
    names = {"video": "Videos", "rawframes": "RawFrames", "flow": "FlowFrames", "images": "Images"}
    assert type(train.source).__name__ == type(test.source).__name__ == names[stated]
    check_sampling(row, train, test)
    check_transforms(row, train, test)
    check_mixing(row, calls)
    assert (len(calls.joint) == 1) == bool(row.joint)
    if row.joint:
        assert [part.ratio for part in calls.joint[0]] == [joint.ratio for joint in row.joint]


def check_sampling(row, train, test):
    for loader, sampling in ((train, row.sampling.train), (test, row.sampling.test)):
        for name in ("clip_len", "frame_interval", "num_clips"):
            assert getattr(loader.sampling, name) == getattr(sampling, name)
        assert type(loader.sampling).__name__ == sampling.sampler
    assert test.view_frames == (None if row.constructor == "TSN" else row.views.frames)


def check_transforms(row, train, test):
    on_device = row.normalize.where == "device"
    for loader, spatial in ((train, row.spatial.train), (test, row.spatial.test)):
        transforms = {type(transform).__name__: transform for transform in loader.transforms}
        # Erasing works on normalized frames, one by one.
        among_steps = spatial.random_erasing is not None
        assert ("Normalize" in transforms) != on_device
        assert (loader.normalize is not None) == (not on_device and not among_steps)
        if not on_device:
            assert tuple(transforms["Normalize"].mean) == tuple(row.normalize.mean)
            assert tuple(transforms["Normalize"].std) == tuple(row.normalize.std)
        assert ("Flip" in transforms) == bool(spatial.flip_probability)
        assert ("ColorJitter" in transforms) == (spatial.color_jitter is not None)
        assert ("RandAugment" in transforms) == (spatial.rand_augment is not None)
        assert ("AugMix" in transforms) == (spatial.aug_mix is not None)
        check_augmentation_order(
            spatial, [type(transform).__name__ for transform in loader.transforms]
        )
        erasing = spatial.random_erasing
        assert ("RandomErasing" in transforms) == (erasing is not None)
        if erasing is not None:
            assert type(loader.transforms[-1]).__name__ == "RandomErasing"
            assert dataclasses.asdict(transforms["RandomErasing"]) == dataclasses.asdict(erasing)
        if loader is train and "Flip" in transforms:
            # Lists of a user with other classes keep their labels when mirrored.
            assert not transforms["Flip"].label_map
    kinds = {"multi_scale": "MultiScaleCrop", "random_resized": "RandomResizedCrop"}
    kinds |= {"random": "RandomCrop", "center": "CenterCrop", "three": "ThreeCrop"}
    kinds |= {"ten": "TenCrop"}
    for loader, spatial in ((train, row.spatial.train), (test, row.spatial.test)):
        if spatial.crop is not None:
            names = [type(transform).__name__ for transform in loader.transforms]
            assert kinds[spatial.crop.kind] in names


def check_augmentation_order(spatial, names):
    """RandAugment comes before the crop if the row says so, otherwise after it."""
    if spatial.rand_augment is None:
        return
    crop = next(index for index, name in enumerate(names) if "Crop" in name)
    assert (names.index("RandAugment") < crop) == spatial.rand_augment.before_crop


def check_mixing(row, calls):
    if row.mixup_alpha is not None and row.cutmix_alpha is not None:
        mixing = calls.mixed[0].mixing
        stated = (CLASSES, row.mixup_alpha, row.cutmix_alpha, row.cutmix_share)
        assert type(mixing).__name__ == "MixUpOrCutMix"
        assert dataclasses.astuple(mixing) == stated
        return
    alpha = row.mixup_alpha if row.mixup_alpha is not None else row.cutmix_alpha
    assert len(calls.mixed) == (alpha is not None)
    if alpha is not None:
        mixing = calls.mixed[0].mixing
        assert type(mixing).__name__ == ("MixUp" if row.mixup_alpha is not None else "CutMix")
        assert (mixing.alpha, mixing.classes) == (alpha, CLASSES)


def check_network(row, calls):
    network = calls.networks[0]
    assert network.classes == CLASSES
    assert network.weights is None
    model = calls.fit.model
    assert model.class_names == [f"class {index}" for index in range(CLASSES)]
    protocol = row.preprocessing().facts()
    protocol["score_average"] = protocol["score_average"] or "prob"
    if row.normalize is not None and row.normalize.where == "device":
        assert [layer.name for layer in model.layers].count("normalize") == 1
        protocol["normalize"] = {
            **protocol["normalize"], "mean": [0.0] * 3, "std": [1.0] * 3, "where": "pipeline",
        }  # fmt: skip
    assert model.preprocessing == protocol


CHECKS = (
    check_network,
    check_optimizer,
    check_norms,
    check_losses,
    check_callbacks,
    check_data,
)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_every_row_is_applied(check, all_runs):
    failures = []
    for row, calls in all_runs:
        try:
            check(row, calls)
        except (AssertionError, AttributeError, KeyError) as error:
            failures.append(f"{row.id} {row.name}: {type(error).__name__} {error}"[:400])
    assert not failures, "\n".join([f"{len(failures)} of {len(ROWS)} rows", *failures[:10]])


# Every flag of the command has its effect.


def run_example(recorder, folder, *flags, row=EXAMPLE):
    recorder.row = zoo.row(row)
    lists = [f"--{name}={value}" for name, value in lists_for(recorder.row, folder).items()]
    status = command(["train", f"--row={row}", f"--work_dir={folder}/run", *lists, *flags])
    assert status == 0
    return recorder


def callback(calls, name):
    return next(entry for entry in calls.fit.callbacks if type(entry).__name__ == name)


def rate(calls, step=0):
    return float(calls.fit.model.optimizer._learning_rate(step))


def test_learning_rate(recorder, tmp_path):
    stated = zoo.row(EXAMPLE).optimizer.learning_rate
    calls = run_example(recorder, tmp_path, "--learning_rate=0.125")
    assert stated != 0.125
    assert calls.fit.model.optimizer._learning_rate.learning_rate == 0.125


def test_epochs_are_the_length_and_stretch_the_schedule(recorder, tmp_path):
    calls = run_example(recorder, tmp_path, "--epochs=3")
    assert calls.fit.epochs == 3
    row = zoo.row(EXAMPLE)
    for step in (0, 5, 3 * STEPS - 1):
        assert rate(calls, step) == pytest.approx(expected_rate(row, step, 3), rel=1e-4)


def test_batch_size_reaches_the_loader_and_the_rate(recorder, tmp_path):
    calls = run_example(recorder, tmp_path, "--batch_size=6")
    assert calls.loaders[0].batch_size == 6
    assert callback(calls, "LearningRateScaling").global_batch_size == 6


def test_eval_batch_size(recorder, tmp_path):
    calls = run_example(recorder, tmp_path, "--eval_batch_size=3")
    assert calls.loaders[1].batch_size == 3


def test_views_are_those_of_the_evaluation_and_of_the_saved_protocol(recorder, tmp_path):
    calls = run_example(recorder, tmp_path, "--views=2x3")
    assert calls.loaders[1].sampling.num_clips == 2
    assert "ThreeCrop" in [type(transform).__name__ for transform in calls.loaders[1].transforms]
    assert calls.fit.model.preprocessing["spatial"]["crop"]["kind"] == "three"


def test_size(recorder, tmp_path):
    calls = run_example(recorder, tmp_path, "--size=48")
    assert calls.networks[0].input_shape[1:3] == (48, 48)
    for loader in calls.loaders:
        crop = next(
            transform for transform in loader.transforms if "Crop" in type(transform).__name__
        )
        assert crop.size == 48
    assert calls.fit.model.preprocessing["spatial"]["crop"]["size"] == 48


def test_ema_is_kept_evaluated_and_saved(recorder, tmp_path):
    calls = run_example(recorder, tmp_path, "--ema=0.9")
    optimizer = calls.fit.model.optimizer
    assert optimizer.use_ema and optimizer.ema_momentum == 0.9
    averaged = callback(calls, "AveragedWeights")
    assert [type(callback).__name__ for callback in averaged.callbacks] == [
        "MultiViewEvaluation",
        "BestCheckpoint",
    ]


def test_early_stopping(recorder, tmp_path):
    calls = run_example(recorder, tmp_path, "--early_stopping=4")
    stopping = callback(calls, "StopWithoutProgress")
    assert (stopping.patience, stopping.monitor) == (4, "val_top1")
    names = [type(callback).__name__ for callback in calls.fit.callbacks]
    assert names.index("MultiViewEvaluation") < names.index("StopWithoutProgress")
    assert stopping.log == tmp_path / "run" / "log.csv"


@pytest.mark.parametrize("start", [[], ["--weights=imagenet"]], ids=["scratch", "weights"])
def test_small_data_smooths_labels_and_keeps_statistics(start, recorder, tmp_path, capsys):
    calls = run_example(recorder, tmp_path, "--small_data", *start)
    assert calls.fit.model.loss[0].label_smoothing == 0.1
    norms = [layer for layer in calls.fit.model.layers if "bn" in layer.name]
    frozen = [isinstance(norm, FrozenStatsBatchNormalization) for norm in norms]
    assert norms and all(frozen) == any(frozen) == bool(start)
    printed = capsys.readouterr().out
    assert "loss.label_smoothing: 0.0 -> 0.1" in printed
    assert ("norm.eval_mode: False -> True" in printed) == bool(start)
    plain = run_example(recorder, tmp_path / "plain")
    assert not any(
        isinstance(layer, FrozenStatsBatchNormalization) for layer in plain.fits[1].model.layers
    )


def test_data_is_split_and_seeded(recorder, tmp_path):
    for name in ("a", "b"):
        (tmp_path / "clips" / name).mkdir(parents=True)
        for number in range(8):
            (tmp_path / "clips" / name / f"{number}.mp4").touch()
    recorder.row = zoo.row(EXAMPLE)
    flags = [f"--data={tmp_path}/clips", "--validation_split=0.25", "--split_seed=2"]
    assert command(["train", f"--row={EXAMPLE}", f"--work_dir={tmp_path}/run", *flags]) == 0
    train, test = recorder.loaders
    records = [loader.records for loader in (train, test)]
    assert [len(part) for part in records] == [12, 4]
    assert not {record.path for record in records[0]} & {record.path for record in records[1]}
    assert sorted(record.labels[0] for record in records[1]) == [0, 0, 1, 1]
    assert recorder.fit.model.class_names == ["a", "b"]
    stated = {"validation_split": 0.25, "subset": "validation", "split_seed": 2}
    annotation_format = data.ClassFolders(("a", "b"), **stated)
    again = data.read_annotations(tmp_path / "clips", annotation_format=annotation_format)
    assert [record.path for record in records[1]] == [record.path for record in again]


def test_two_folders_are_lists(recorder, tmp_path):
    for part in ("train", "val"):
        for name in ("a", "b") if part == "train" else ("b",):
            (tmp_path / part / name).mkdir(parents=True)
            (tmp_path / part / name / "x.mp4").touch()
    recorder.row = zoo.row(EXAMPLE)
    lists = [f"--train_list={tmp_path}/train", f"--val_list={tmp_path}/val"]
    assert command(["train", f"--row={EXAMPLE}", f"--work_dir={tmp_path}/run", *lists]) == 0
    _, test = recorder.loaders
    (record,) = test.records
    assert record.labels == (1,)  # of the training's classes
    assert recorder.fit.model.class_names == ["a", "b"]


def test_missing_videos_are_reported_before_anything_is_written(recorder, tmp_path, capsys):
    recorder.row = zoo.row(EXAMPLE)
    lists = [f"--{name}={value}" for name, value in lists_for(recorder.row, tmp_path).items()]
    (tmp_path / "v1").unlink()
    arguments = ["train", f"--row={EXAMPLE}", f"--work_dir={tmp_path}/run", *lists]
    assert command(arguments) == 1
    text = capsys.readouterr().err
    assert "1 of 3 annotated videos do not exist" in text and f"{tmp_path}/v1" in text
    assert "train.txt:2" in text and 'on_error="skip"' in text
    assert not (tmp_path / "run").exists() and not recorder.networks
    assert command([*arguments, "--on_error=skip"]) == 0


def test_a_work_folder_is_named_by_the_rows_id(recorder, tmp_path):
    recorder.row = zoo.row(EXAMPLE)
    lists = [f"--{name}={value}" for name, value in lists_for(recorder.row, tmp_path).items()]
    assert command(["train", f"--row={EXAMPLE}", *lists]) == 0
    assert (tmp_path / "work_dirs" / recorder.row.id / "settings.json").is_file()


def test_export_needs_its_packages_before_the_training(recorder, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(settings.importlib.util, "find_spec", lambda name: None)
    recorder.row = zoo.row(EXAMPLE)
    lists = [f"--{name}={value}" for name, value in lists_for(recorder.row, tmp_path).items()]
    flags = ["--export=litert,onnx", f"--work_dir={tmp_path}/run"]
    assert command(["train", f"--row={EXAMPLE}", *lists, *flags]) == 1
    assert "pip install keras-video[onnx]" in capsys.readouterr().err
    assert not recorder.networks and not (tmp_path / "run").exists()


def test_accumulate(recorder, tmp_path):
    calls = run_example(recorder, tmp_path, "--accumulate=2", "--batch_size=4")
    assert calls.fit.model.optimizer.gradient_accumulation_steps == 2
    assert callback(calls, "LearningRateScaling").global_batch_size == 8


def test_mixed_precision(recorder, tmp_path, monkeypatch):
    # oneDNN may already run with AMX in this process.
    monkeypatch.setattr(precision, "gradient_error", lambda: 0.0)
    try:
        calls = run_example(recorder, tmp_path, "--mixed_precision")
        layer = calls.fit.model.get_layer("conv1_conv")
        assert layer.compute_dtype in ("float16", "bfloat16") and layer.dtype == "float32"
    finally:
        keras.mixed_precision.set_global_policy("float32")


def test_novalidate_leaves_only_the_last_evaluation(recorder, tmp_path):
    calls = run_example(recorder, tmp_path, "--novalidate")
    kinds = {type(callback).__name__ for callback in calls.fit.callbacks}
    assert not kinds & {"MultiViewEvaluation", "BestCheckpoint"}
    assert len(calls.evaluated) == 1


@pytest.mark.parametrize("value", ["skip", "replace"])
def test_on_error(recorder, tmp_path, value):
    calls = run_example(recorder, tmp_path, f"--on_error={value}")
    assert calls.loaders[0].on_error == value
    # Videos that replace unreadable ones would count twice in an evaluation.
    assert calls.loaders[1].on_error == "skip"


def test_the_last_batch_is_kept_on_request(recorder, tmp_path):
    calls = run_example(recorder, tmp_path, "--nodrop_remainder")
    assert calls.loaders[0].drop_remainder is False


def test_weights(recorder, tmp_path):
    calls = run_example(recorder, tmp_path, "--weights=initial")
    assert calls.networks[0].weights == "initial"


def test_seed(recorder, tmp_path):
    calls = run_example(recorder, tmp_path, "--seed=5")
    assert calls.loaders[0].seed == 5
    first = calls.fit.model.get_weights()
    recorder.networks.clear(), recorder.fits.clear(), recorder.loaders.clear()
    second = run_example(recorder, tmp_path / "second", "--seed=6").fit.model.get_weights()
    assert not np.array_equal(first[0], second[0])


def test_deterministic(recorder, tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr("keras_video.training.run.make_deterministic", lambda: calls.append(True))
    run_example(recorder, tmp_path)
    assert not calls
    run_example(recorder, tmp_path, "--deterministic")
    assert calls == [True]


def test_every_setting_has_a_flag_of_the_same_default():
    from keras_video.cli import train
    from keras_video.cli.main import module_flags

    defaults = module_flags(train).defaults()
    defaults.pop("traceback")
    assert defaults.pop("row") is None
    settings = dataclasses.asdict(RunSettings(row="any"))
    settings.pop("row")
    assert {k: tuple(v) if isinstance(v, list) else v for k, v in defaults.items()} == settings


def test_mirroring_swaps_labels_only_for_the_rows_own_data(recorder, tmp_path):
    row = zoo.row("tsm_mobilenetv2_1x1x8_moving_shapes")
    pairs = row.spatial.train.flip_labels
    recorder.row = row
    own = tmp_path / "own"
    command(["train", f"--row={row.id}", f"--work_dir={own}"])
    transforms = recorder.loaders[0].transforms
    flip = next(transform for transform in transforms if type(transform).__name__ == "Flip")
    assert {tuple(sorted(pair)) for pair in flip.label_map.items()} == set(map(tuple, pairs))


def test_the_seed_is_that_of_the_weights_too(recorder, tmp_path, monkeypatch):
    seeds = []
    monkeypatch.setattr(keras.utils, "set_random_seed", seeds.append)
    run_example(recorder, tmp_path, "--seed=7")
    assert seeds == [7]


def test_fewer_epochs_drop_the_rate_in_proportion():
    row = next(
        r for r in ROWS if r.schedule and (r.schedule.policy, r.schedule.warmup) == ("step", None)
    )
    epochs = row.epochs // 2
    schedule = from_row.row_schedule(row, row.optimizer.learning_rate, STEPS, epochs)
    assert expected_rate(row, 0, epochs) > expected_rate(row, epochs * STEPS - 1, epochs)
    for step in range(0, epochs * STEPS, STEPS):
        assert float(schedule(step)) == pytest.approx(expected_rate(row, step, epochs)), step


@pytest.mark.parametrize("replicas", [1, 2])
def test_norms_share_their_statistics_over_replicas_where_the_row_says_so(replicas, monkeypatch):
    monkeypatch.setattr(from_row, "replicas_in_sync", lambda: replicas)
    row = next(r for r in ROWS if r.norm == zoo.Norm(synchronized=True))
    for stated in (row, dataclasses.replace(row, norm=zoo.Norm())):
        model = tiny_network(stated, None, classes=CLASSES, input_shape=stated.input_shape)
        prepared = from_row.prepare_norms(model, stated)
        norms = [layer for layer in prepared.layers if "_bn" in layer.name]
        expected = replicas > 1 and stated is row
        assert len(norms) == 2 and all(norm.synchronized == expected for norm in norms)


def test_a_row_of_any_family_may_use_any_setting(recorder, tmp_path, monkeypatch):
    """Settings that no row of the family has work without changes to the code."""
    row = next(r for r in ROWS if r.name == "c3d_sports1m_16x1x1_45e_ucf101_rgb")
    changed = dataclasses.replace(
        row,
        precise_bn=zoo.PreciseNorm(iterations=3, interval=2),
        norm=dataclasses.replace(row.norm, partial=True),
        mixup_alpha=0.2,
        loss=dataclasses.replace(row.loss, auxiliary_weight=0.25),
    )
    real = zoo.row
    monkeypatch.setattr(zoo, "row", lambda name: changed if name == row.id else real(name))
    calls = recorded_run(recorder, changed, tmp_path)
    for check in (check_optimizer, check_norms, check_losses, check_callbacks, check_data):
        check(changed, calls)
    assert callback(calls, "PreciseBatchNorm").iterations == 3
    assert len(calls.mixed) == 1


def test_any_row_may_be_fine_tuned_as_transformers_are(recorder, tmp_path, monkeypatch):
    """All settings of published fine-tunings at once, on a row that has none of them."""
    row = next(r for r in ROWS if r.name == "tsn_r50_1x1x3_100e_kinetics400_rgb")
    spatial = dataclasses.replace(
        row.spatial.train,
        rand_augment=zoo.RandAugment("timm", 4, 7, before_crop=True),
        random_erasing=zoo.RandomErasing(0.5, "color", (0.1, 0.2), (0.5, 2.0)),
    )
    changed = dataclasses.replace(
        row,
        optimizer=zoo.Optimizer(
            1e-3, 8, weight_decay=0.05, kind="adamw", beta_1=0.8, beta_2=0.95, epsilon=1e-6,
            norm_decay=False, bias_decay=False, table_decay=False, layer_decay=0.5,
            body_multiplier=0.25,
        ),
        schedule=zoo.Schedule(
            "cosine", by_epoch=False, min_rate=1e-6, warmup="linear", warmup_length=2.5,
            warmup_ratio=0.01, warmup_by_epoch=True, after_warmup=True,
        ),
        gradient_clip=1.0,
        loss=zoo.Loss(label_smoothing=0.1),
        mixup_alpha=0.8,
        cutmix_alpha=1.0,
        cutmix_share=0.25,
        repeated_augmentation=2,
        ema=0.999,
        spatial=dataclasses.replace(row.spatial, train=spatial),
    )  # fmt: skip
    real = zoo.row
    monkeypatch.setattr(zoo, "row", lambda name: changed if name == row.id else real(name))
    calls = recorded_run(recorder, changed, tmp_path)
    for check in CHECKS:
        check(changed, calls)
    # The rate rises to the row's and falls from there.
    rates = [rate(calls, step) for step in range(changed.epochs * STEPS)]
    peak = rates.index(max(rates))
    assert rates[0] == pytest.approx(1e-5, rel=1e-3) and rates[peak] == pytest.approx(1e-3)
    assert 17 <= peak <= 18 and rates[-1] < 1e-4
    augment = next(
        transform
        for transform in calls.loaders[0].transforms
        if type(transform).__name__ == "RandAugment"
    )
    assert augment == data.RandAugment.timm(4, 7)
    kinds = {type(callback).__name__: callback for callback in calls.fit.callbacks}
    assert "AveragedWeights" in kinds


@pytest.mark.parametrize(
    "change, named",
    [
        ({"mixup_alpha": 0.2}, "multigrid together with mixup_alpha"),
        ({"ema": 0.99}, "multigrid together with ema"),
        ({"repeated_augmentation": 2}, "multigrid together with repeated_augmentation"),
        ({"optimizer": zoo.Optimizer(0.1, kind="adamw")}, "multigrid together with an optimizer"),
        ({"loss": zoo.Loss(auxiliary_weight=0.5)}, "multigrid together with loss.auxiliary"),
    ],
)
def test_settings_that_cannot_be_combined_are_rejected(tmp_path, monkeypatch, change, named):
    name = "slowfast_multigrid_r50_8x8x1_358e_kinetics400_rgb"
    changed = dataclasses.replace(zoo.row(name), **change)
    monkeypatch.setattr(zoo, "row", lambda _: changed)
    with pytest.raises(ValueError, match=named):
        run.train(RunSettings(row=name, batch_size=8))
