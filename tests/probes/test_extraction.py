"""Features of videos: their values, their cache, and when they are recomputed."""

import dataclasses
import logging
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_video import data, zoo
from keras_video.applications import TSN
from keras_video.data.rows.presets import processing_of
from keras_video.inference import feature_model
from keras_video.inference.video import views_of
from keras_video.probes import ProbeBody, extract_features, extraction
from keras_video.probes.bodies import network_hash
from keras_video.probes.cache import content_key

ROW = zoo.row("tsn_r18_1x1x4_moving_shapes")


def small_model(seed=0, **arguments):
    """A tiny network with the row's input protocol."""
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((64, 64, 3))
    x = keras.layers.Conv2D(6, 8, 8, activation="relu")(inputs)
    backbone = keras.Model(inputs, x, name="small")
    model = TSN(backbone=backbone, classes=2, input_shape=(4, 64, 64, 3), **arguments)
    model.protocol = ROW.protocol("test")
    return model


@pytest.fixture(scope="module")
def model():
    return small_model()


@pytest.fixture
def videos(tiny_videos, tmp_path):
    """Records of four videos in a temporary folder."""
    folder = tmp_path / "videos"
    shutil.copytree(tiny_videos, folder)
    return data.read_annotations(folder / "list.txt", folder)[:4]


def test_features_are_the_input_of_the_classifier(model, videos, tmp_path):
    body = ProbeBody(model)
    extracted = extract_features(body, videos, cache=tmp_path / "cache", verbose=0)
    assert extracted.features.shape == (4, 1, 6) and extracted.features.dtype == np.float32
    assert extracted.labels.tolist() == [0, 1, 0, 1] and extracted.computed == 4
    clips = views_of(videos[2].path, processing_of(body.protocol))
    expected = feature_model(model)(clips)
    np.testing.assert_allclose(extracted.features[2], expected, rtol=1e-4, atol=1e-5)


def test_tokens_and_views(model, videos, tmp_path):
    extracted = extract_features(
        ProbeBody(model, tokens=True, views=(4, 10)), videos[:2], cache=tmp_path, verbose=0
    )
    assert (
        extracted.features.shape == (2, 10, 4 * 8 * 8, 6) and extracted.features.dtype == np.float16
    )
    vectors = extract_features(
        ProbeBody(model, views=(4, 10)), videos[:2], cache=tmp_path, verbose=0
    )
    means = extracted.features.astype("float32").mean(2)
    np.testing.assert_allclose(vectors.features, means, rtol=1e-2, atol=1e-2)


def counted(monkeypatch):
    """Collects the number of computed videos per call."""
    counts, compute = [], extraction._compute

    def count(body, store, records, keys, missing, *rest):
        counts.append(len(missing))
        return compute(body, store, records, keys, missing, *rest)

    monkeypatch.setattr(extraction, "_compute", count)
    return counts


def test_cached_features_are_found_by_content_not_by_name(model, videos, tmp_path, monkeypatch):
    cache = tmp_path / "cache"
    first = extract_features(ProbeBody(model), videos, cache=cache, verbose=0)
    counts = counted(monkeypatch)
    moved = tmp_path / "renamed.mp4"
    shutil.copy(videos[0].path, moved)
    records = [*videos, data.Record(str(moved), (0,))]
    again = extract_features(ProbeBody(model), records, cache=cache, verbose=0)
    assert counts == [] and again.computed == 0
    assert again.groups[4] == again.groups[0] and len(set(again.groups)) == 4
    np.testing.assert_array_equal(again.features[:4], first.features)
    with Path(videos[1].path).open("ab") as file:
        file.write(b"\0")
    extract_features(ProbeBody(model), records, cache=cache, verbose=0)
    assert counts == [1]


def test_other_weights_protocols_and_poolings_have_other_features(
    model, tmp_path, videos, monkeypatch
):
    extract_features(ProbeBody(model), videos[:1], cache=tmp_path, verbose=0)
    counts = counted(monkeypatch)
    same = small_model()
    same.protocol = dataclasses.replace(same.protocol, max_views=2)
    extract_features(ProbeBody(same), videos[:1], cache=tmp_path, verbose=0)
    assert counts == []
    cropped = small_model()
    protocol = cropped.protocol
    spatial = dataclasses.replace(protocol.spatial, short_side=80)
    cropped.protocol = dataclasses.replace(protocol, spatial=spatial)
    bodies = [
        ProbeBody(small_model(seed=1)),
        ProbeBody(cropped),
        ProbeBody(model, views=(2, 1)),
        ProbeBody(model, tokens=True),
    ]
    for body in bodies:
        extract_features(body, videos[:1], cache=tmp_path, verbose=0)
    assert counts == [1, 1, 1, 1]


def test_one_changed_weight_is_another_network(model):
    other = small_model()
    assert network_hash(model) == network_hash(other)
    kernel = other.get_layer("small").get_weights()
    kernel[0][0, 0, 0, 0] += 1e-3
    other.get_layer("small").set_weights(kernel)
    assert network_hash(model) != network_hash(other)


@pytest.mark.parametrize("damage", ["torn", "flipped", "empty", "foreign"])
def test_a_damaged_file_is_recomputed(damage, model, videos, tmp_path, monkeypatch, caplog):
    extracted = extract_features(ProbeBody(model), videos[:2], cache=tmp_path / "c", verbose=0)
    file = next((tmp_path / "c").rglob(f"{extracted.keys[1]}.npz"))
    content = bytearray(file.read_bytes())
    content[-200] ^= 255
    start = content.find(extracted.features[1].tobytes())
    flipped = bytearray(file.read_bytes())
    flipped[start + 3] ^= 1
    new = {"torn": content[: len(content) // 2], "flipped": flipped, "empty": b"", "foreign": b"no"}
    file.write_bytes(bytes(new[damage]))
    counts = counted(monkeypatch)
    with caplog.at_level(logging.WARNING, "absl"):
        again = extract_features(ProbeBody(model), videos[:2], cache=tmp_path / "c", verbose=0)
    assert counts == [1] and file.name in caplog.text
    np.testing.assert_array_equal(again.features, extracted.features)


def test_a_stopped_run_resumes(model, videos, tmp_path, monkeypatch):
    broken = [videos[0], dataclasses.replace(videos[1], path=str(tmp_path / "bad.mp4")), videos[2]]
    (tmp_path / "bad.mp4").write_bytes(b"no video" * 50)
    with pytest.raises(Exception, match="bad.mp4"):
        extract_features(ProbeBody(model), broken, cache=tmp_path / "c", verbose=0)
    counts = counted(monkeypatch)
    kept = extract_features(
        ProbeBody(model), broken, cache=tmp_path / "c", on_error="skip", verbose=0
    )
    assert counts == [2]  # the first one was cached
    assert [record.path for record in kept.records] == [videos[0].path, videos[2].path]
    assert kept.failed == (str(tmp_path / "bad.mp4"),)
    assert not list((tmp_path / "c").rglob(".part-*"))
    # All remaining videos are unreadable.
    again = extract_features(
        ProbeBody(model), broken, cache=tmp_path / "c", on_error="skip", verbose=0
    )
    assert again.failed == kept.failed and len(again) == 2


def test_a_missing_video_is_named(model, videos, tmp_path):
    gone = [*videos[:1], dataclasses.replace(videos[1], path="gone.mp4")]
    with pytest.raises(FileNotFoundError, match="gone.mp4"):
        extract_features(ProbeBody(model), gone, cache=tmp_path, verbose=0)
    extracted = extract_features(ProbeBody(model), gone, cache=tmp_path, on_error="skip", verbose=0)
    assert extracted.failed == ("gone.mp4",) and len(extracted) == 1


def test_features_must_be_finite(videos, tmp_path):
    model = small_model()
    layer = model.get_layer("small")
    kernel, bias = layer.get_weights()
    layer.set_weights([kernel, np.full_like(bias, np.inf)])
    with pytest.raises(ValueError, match="not finite"):
        extract_features(ProbeBody(model), videos[:1], cache=tmp_path, verbose=0)


def test_a_folder_of_frames_has_the_content_of_its_files(tmp_path):
    for name, pixels in (("a", b"1"), ("b", b"1"), ("c", b"2")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "img_00001.jpg").write_bytes(pixels)
    source = data.RawFrames()
    keys = [content_key(data.Record(str(tmp_path / name), (0,)), source) for name in "abc"]
    assert keys[0] == keys[1] != keys[2]
    part = data.Record(str(tmp_path / "a"), (0,), offset=3)
    assert content_key(part, source) != keys[0]


def test_tokens_of_clips_of_another_shape_are_rejected(model, videos, tmp_path):
    body = ProbeBody(model, tokens=True, views=(2, 1))
    with pytest.raises(ValueError, match=r"takes clips of shape \(4, 64.*gives \(2, 64"):
        extract_features(body, videos[:1], cache=tmp_path, verbose=0)


def test_models_that_cannot_be_probed_are_rejected():
    plain = small_model()
    plain.protocol = None
    with pytest.raises(ValueError, match="preprocessing=None"):
        ProbeBody(plain)
    model = small_model()
    model.protocol = zoo.row("audio_r18_40x1x1_audio_shapes").protocol("test")
    with pytest.raises(ValueError, match="expected a video model"):
        ProbeBody(model)
    slowfast = zoo.row("slowfast_r50_16x1x1_moving_shapes").model()
    with pytest.raises(ValueError, match="'pathways'.*give another head"):
        ProbeBody(slowfast, tokens=True)


@pytest.mark.slow(every_change=True)
@pytest.mark.parametrize("name", ["tsm_mobilenetv2_1x1x8_moving_shapes", "x3d_8x2x1_moving_shapes"])
def test_frames_in_the_batch_and_other_classifiers(name):
    model = zoo.row(name).model()
    clips = np.random.default_rng(0).normal(size=(2, *model.input_shape[1:])).astype("float32")
    extracted = ProbeBody(model).network.predict_on_batch(clips)
    assert extracted.shape[0] == 2 and extracted.ndim == 2
    np.testing.assert_allclose(extracted, feature_model(model)(clips), rtol=1e-3, atol=1e-4)


def test_a_headless_model_with_a_custom_protocol(videos, tmp_path):
    model = small_model(include_top=False, pooling="avg")
    model.protocol = None
    body = ProbeBody(model, protocol=ROW.protocol("test"))
    assert body.network.output_shape == (None, 6)
    assert len(extract_features(body, videos[:1], cache=tmp_path, verbose=0)) == 1
