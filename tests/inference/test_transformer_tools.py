"""Features, heatmaps and quantized files of every transformer family."""

import keras
import numpy as np
import pytest

from keras_video import inference
from tests.applications import families

HIERARCHICAL = ("swin3d", "mvit", "uniformer")
FAMILIES = ("videomae", "vivit", "vjepa2", *HIERARCHICAL, "uniformer_v2")
all_families = pytest.mark.parametrize("name", FAMILIES)


@pytest.mark.slow(every_change=True)
@all_families
def test_features_are_the_input_of_the_classifier(name):
    model, clips = families.shared(name), families.clips(name)
    features = inference.feature_model(model)(clips)
    kernel, bias = model.get_layer("fc_cls").get_weights()
    assert features.shape == (len(clips), kernel.shape[0]) and features.dtype == np.float32
    logits = keras.ops.convert_to_numpy(model(clips))
    np.testing.assert_allclose(features @ kernel + bias, logits, rtol=1e-4, atol=1e-4)


@pytest.mark.slow(every_change=True)
@pytest.mark.parametrize("name", HIERARCHICAL)
def test_a_class_map_where_tokens_keep_their_positions(name):
    clip = families.clips(name)[0]
    heatmap = inference.gradcam(families.shared(name), clip)
    assert heatmap.shape == clip.shape[:3]
    assert np.isfinite(heatmap).all() and heatmap.min() >= 0 and heatmap.max() in (0, 1)


@pytest.mark.slow(every_change=True)
def test_maps_follow_the_image_transformer_of_uniformer_v2():
    clips = families.clips("uniformer_v2")
    model = families.shared("uniformer_v2")
    maps = [inference.attention_rollout(model, clip) for clip in clips[:2]]
    for heatmap in maps:
        assert heatmap.shape == clips.shape[1:4]
        assert np.isfinite(heatmap).all() and heatmap.min() >= 0 and heatmap.max() == 1
    assert np.abs(maps[0] - maps[1]).max() > 1e-4


@pytest.mark.slow
@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="exported with TensorFlow")
@pytest.mark.parametrize(("quantize", "tolerance"), [("float16", 5e-3), ("int8", 0.1)])
@all_families
def test_quantized_files_score_nearly_like_the_model(name, quantize, tolerance, tmp_path):
    model = families.shared(name)
    path = inference.export_model(model, tmp_path / "a.tflite", "litert", quantize=quantize)
    comparison = inference.compare_exported(path, model, [families.clips(name)])
    assert 0 < comparison.largest_difference < tolerance * comparison.largest_score
