"""Predictions from files equal those from the loaders."""

import numpy as np
import pytest

from keras_video import data, zoo
from keras_video.inference import predict_audio, predict_audiovisual, predict_video, predict_views


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shapes") / "videos"
    return data.make_audio_shapes(
        folder, "both", videos_per_class=1, val_videos_per_class=1, size=48
    )


@pytest.mark.slow(every_change=True)
@pytest.mark.parametrize(
    ("name", "predict"),
    [
        ("audio_r18_40x1x1_audio_shapes", predict_audio),
        ("avslowfast_r50_16x2x1_audio_shapes", predict_audiovisual),
    ],
)
def test_a_file_is_scored_as_in_an_evaluation(name, predict, shapes):
    row = zoo.row(name)
    model = row.model(classes=4)
    inputs, _ = next(iter(data.row_dataset(row, shapes.val_list, "test", shapes.root)))
    expected = predict_views(model, inputs, score_average=row.score_average)
    assert expected.shape == (4, 4)
    records = data.read_annotations(shapes.val_list, shapes.root)
    scores = np.stack([predict(model, record.path) for record in records])
    np.testing.assert_allclose(scores, expected, atol=1e-5)
    assert np.abs(scores[0] - scores[1]).max() > 1e-4


def test_inputs_with_different_views_are_rejected():
    row = zoo.row("avslowfast_r50_16x2x1_audio_shapes")
    model = row.model(classes=4)
    inputs = {"video": np.zeros((1, 2, *row.input_shape)), "audio": np.zeros((1, 3, 32, 16, 1))}
    with pytest.raises(ValueError, match=r"same batch and views, received shapes .*\(1, 3, 32"):
        predict_views(model, inputs)


def test_an_audio_model_does_not_score_frames(shapes):
    row = zoo.row("audio_r18_40x1x1_audio_shapes")
    path = data.read_annotations(shapes.val_list, shapes.root)[0].path
    with pytest.raises(ValueError, match="takes audio: expected a video model; use predict_audio"):
        predict_video(row.model(classes=4), path)
