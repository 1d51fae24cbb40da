"""Comparisons of exported files with their models."""

import keras
import numpy as np
import pytest

from keras_video import data, inference
from keras_video.inference.file_clips import FileClips
from tests.applications import families
from tests.inference.test_pixel_input import fed, pixels
from tests.videos import moving_gradient, write_video

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="models are exported with TensorFlow"
)


@pytest.fixture(scope="module")
def model():
    return fed(name="timesformer")


@pytest.fixture(scope="module")
def path(model, tmp_path_factory):
    return inference.export_model(model, tmp_path_factory.mktemp("file") / "model")


def test_a_file_with_other_weights_reports_the_number_of_differing_clips(model, path):
    other = families.build("timesformer")
    families.randomize(other)
    clips = families.clips("timesformer", 9)
    scores = model.predict_on_batch(clips)
    best, second = np.argsort(scores.mean(0))[::-1][:2]
    # The predicted class changes for half of the clips.
    bias = np.zeros(5, "float32")
    bias[best] = np.sort(scores[:, best] - scores[:, second])[3:5].mean()
    other.layers[-2].bias.assign(other.layers[-2].bias - bias)
    expected = other.predict_on_batch(clips)
    labels = scores.argmax(-1)
    labels[:2] = 4 - labels[:2]
    one_hot = np.eye(5)[labels]
    for targets in (labels, one_hot):
        result = inference.compare_exported(
            path, other, [(clips[:4], targets[:4]), (clips[4:], targets[4:])]
        )
        assert result.clips == 9
        assert result.top1_agreement == (scores.argmax(-1) == expected.argmax(-1)).mean() < 1
        assert result.largest_difference == pytest.approx(np.abs(scores - expected).max(), rel=1e-4)
        assert result.largest_score == pytest.approx(np.abs(expected).max(), rel=1e-4)
        assert result.accuracy == (scores.argmax(-1) == labels).mean()
        assert result.reference_accuracy == (expected.argmax(-1) == labels).mean()
    assert "9 clips: same top class in" in str(result) and "(model " in str(result)


def test_two_files_can_be_compared(path):
    result = inference.compare_exported(path, path, [families.clips("timesformer")])
    assert (result.top1_agreement, result.largest_difference, result.accuracy) == (1, 0, None)
    with pytest.raises(ValueError, match="reference=3: expected a Keras model or the path"):
        inference.compare_exported(path, 3, [families.clips("timesformer")])
    with pytest.raises(ValueError, match="without batches"):
        inference.compare_exported(path, path, [])


@pytest.mark.parametrize("frame_size", [None, (40, 60), (None, None)])
@pytest.mark.parametrize("takes_pixels", [True, False])
def test_clips_of_files_are_single_views(model, tmp_path, takes_pixels, frame_size):
    video = write_video(tmp_path / "clip.mp4", moving_gradient(20, 40, 60))
    records = (data.Record(str(video), (3,)),)
    clips = FileClips(records, model, takes_pixels, frame_size, labeled=True)
    ((scores, labels),) = clips
    assert len(clips) == 1 and labels.tolist() == [3]
    frames = data.open_video(video).read([2, 7, 12, 17])[None]
    transforms = [data.Resize(short_side=36), data.CenterCrop(32)]
    expected = np.asarray(data.apply_transforms(transforms, frames))
    if not takes_pixels:
        normalize = model.protocol.normalize
        expected = (expected - np.array(normalize.mean)) / np.array(normalize.std)
    elif frame_size is not None:
        expected = frames
    assert scores.dtype == ("uint8" if takes_pixels else "float32")
    np.testing.assert_allclose(scores, expected, atol=1e-4)


def test_pixel_files_are_compared_with_preprocessing_in_python(model, tmp_path):
    path = inference.export_model(model, tmp_path / "model", pixels=True, frame_size=(48, 64))
    result = inference.compare_exported(path, model, [pixels(48, 64)])
    assert result.largest_difference < 1e-3 * result.largest_score
    with pytest.raises(ValueError, match="and float32, expected .* and uint8"):
        inference.compare_exported(path, model, [pixels(48, 64).astype("float32")])
