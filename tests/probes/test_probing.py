"""From labeled videos to a predicting model."""

import logging
import shutil

import numpy as np
import pytest

import keras_video
from keras_video import data, probes
from keras_video.training.saving import save_model
from tests.probes.test_extraction import ROW, small_model
from tests.videos import write_video

NAMES = ("dark", "light")


def shade(path, label, seed):
    """A video whose brightness determines its class."""
    rng = np.random.default_rng([label, seed])
    base = 60 + 110 * label + rng.integers(-20, 20)
    frames = np.clip(base + rng.normal(0, 25, (10, 64, 72, 3)), 0, 255).astype(np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_video(path, frames, g="6")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Class folders of eight videos each."""
    folder = tmp_path_factory.mktemp("shades")
    for label, name in enumerate(NAMES):
        for number in range(8):
            shade(folder / name / f"{number}.mp4", label, number)
    return folder


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


def records_of(folder):
    return data.read_annotations(folder, annotation_format=data.ClassFolders(NAMES))


@pytest.mark.slow(every_change=True)
@pytest.mark.parametrize("head", ["linear", "attentive", "knn"])
def test_the_model_of_a_probe_is_saved_and_predicts(head, folder, cache, tmp_path):
    result = probes.probe(
        small_model(), records_of(folder), NAMES, head=head, folds=3, cache=cache, verbose=0
    )
    assert result.report.accuracy > 0.8 and result.report.videos == 16
    save_model(result.model, tmp_path / "probe.keras")
    model = keras_video.load_model(tmp_path / "probe.keras")
    assert model.class_names == list(NAMES) and model.protocol == result.model.protocol
    path = shade(tmp_path / "new.mp4", 1, 99)
    best = keras_video.classify(path, model)[0]
    assert best.label == "light"
    expected = keras_video.predict_video(result.model, path)
    assert best.score == pytest.approx(expected[1], abs=1e-4)


def test_the_held_out_accuracy_is_that_of_the_model(folder, cache, tmp_path):
    held_out = [
        data.Record(str(shade(tmp_path / f"{n}.mp4", n % 2, 50 + n)), (n % 2,)) for n in range(6)
    ]
    result = probes.probe(
        small_model(), records_of(folder), NAMES, held_out=held_out, views=(4, 10), cache=cache,
        verbose=0,
    )  # fmt: skip
    assert result.held_out.videos == 6
    right = [
        keras_video.classify(record.path, result.model)[0].index == record.labels[0]
        for record in held_out
    ]
    assert result.held_out.accuracy == pytest.approx(np.mean(right))
    assert result.model.protocol.spatial.crop.kind == "ten"


def test_a_folder_or_records_without_names(folder, cache):
    of_folder = probes.probe(small_model(), folder, cache=cache, verbose=0)
    assert of_folder.model.class_names == list(NAMES)
    of_records = probes.probe(small_model(), records_of(folder), cache=cache, verbose=0)
    assert of_records.model.class_names == ["0", "1"]
    np.testing.assert_array_equal(of_folder.report.confusion, of_records.report.confusion)


def test_the_probed_model_is_unchanged(folder, cache):
    model = small_model()
    weights, layers = model.get_weights(), [layer.name for layer in model.layers]
    probes.probe(model, records_of(folder), NAMES, cache=cache, verbose=0)
    assert [layer.name for layer in model.layers] == layers
    assert all(np.array_equal(*pair) for pair in zip(weights, model.get_weights(), strict=True))


def test_a_probe_can_be_probed_again_from_the_same_features(folder, cache):
    first = probes.probe(small_model(), records_of(folder), NAMES, cache=cache, verbose=0)
    again = probes.probe(first.model, records_of(folder), NAMES, cache=cache, verbose=0, head="knn")
    assert again.facts["computed_features"] == 0


def test_a_wrong_label_is_found(folder, cache):
    records = records_of(folder)
    wrong = records[3]
    records[3] = data.Record(wrong.path, (1,))
    result = probes.probe(small_model(), records, NAMES, cache=cache, verbose=0)
    assert [suspect.path for suspect in result.report.suspects][:1] == [wrong.path]


def test_duplicates_are_reported(folder, cache, tmp_path, caplog):
    records = records_of(folder)
    copy = tmp_path / "copy.mp4"
    shutil.copy(records[0].path, copy)
    held_out = [data.Record(records[1].path, (0,))]
    with caplog.at_level(logging.WARNING, "absl"):
        probes.probe(
            small_model(), [*records, data.Record(str(copy), (1,))], NAMES, held_out=held_out,
            cache=cache, verbose=0,
        )  # fmt: skip
    assert "copy.mp4 are the same video with different labels" in caplog.text
    assert "which it is trained on" in caplog.text


def test_headless_models_are_probed(folder, cache):
    model = small_model(include_top=False)
    model.protocol = None
    for head in ("linear", "attentive"):
        result = probes.probe(
            model, records_of(folder), NAMES, head=head, protocol=ROW.protocol("test"), cache=cache,
            folds=2, verbose=0,
        )  # fmt: skip
        assert result.report.accuracy > 0.8
        assert keras_video.classify(records_of(folder)[-1].path, result.model)[0].label == "light"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda some: some[:8], "1 class .'dark'.*at least two"),
        (lambda some: some[:9], "the class 'light' has 1 video"),
        (lambda some: [*some, data.Record("x.mp4", (0, 1), "list.txt", 7)], "list.txt:7.*2 labels"),
        (
            lambda some: [*some, data.Record("x.mp4", (2,), "list.txt", 8)],
            "list.txt:8.*the label 2",
        ),
    ],
    ids=["one class", "one video", "two labels", "range"],
)
def test_unusable_labels_are_rejected(change, message, folder, cache):
    with pytest.raises(ValueError, match=message):
        probes.probe(small_model(), change(records_of(folder)), NAMES, cache=cache, verbose=0)
