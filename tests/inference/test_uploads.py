"""The upload page; tests of the page itself need gradio, from the extra `serve`."""

import importlib.util
import sys

import pytest

from keras_video import zoo
from keras_video.data.decoding.videos import DecodeError
from keras_video.inference import uploads as module
from tests.videos import moving_gradient, write_video

needs_gradio = pytest.mark.skipif(
    importlib.util.find_spec("gradio") is None, reason="needs the extra 'serve'"
)


@pytest.fixture(scope="module")
def model():
    built = zoo.row("tsn_r18_1x1x4_moving_shapes").model()
    built.class_names = [f"class {number}" for number in range(built.output_shape[-1])]
    return built


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return str(write_video(tmp_path_factory.mktemp("clip") / "a.mp4", moving_gradient(8, 64, 64)))


def test_scores_of_an_upload(model, clip, tmp_path):
    scores = module.score_upload(clip, model, top=2)
    assert len(scores) == 2 and set(scores) <= set(model.class_names)
    assert all(0 <= score <= 1 for score in scores.values())
    (tmp_path / "a.mp4").write_bytes(b"no video")
    with pytest.raises(DecodeError, match=r"a\.mp4"):
        module.score_upload(str(tmp_path / "a.mp4"), model)


def test_a_missing_gradio_is_reported(model, monkeypatch):
    monkeypatch.setitem(sys.modules, "gradio", None)
    module._gradio.cache_clear()
    with pytest.raises(ModuleNotFoundError, match=r"pip install keras-video\[serve\]"):
        module.upload_page(model)


@needs_gradio
def test_a_program_uploads_a_video_to_the_page(model, clip, tmp_path):
    from gradio_client import Client, handle_file

    module._gradio.cache_clear()
    page = module.upload_page(model, top=3)
    _, address, _ = page.launch(prevent_thread_lock=True, quiet=True, inbrowser=False)
    try:
        client = Client(address, verbose=False)
        prediction = client.predict(handle_file(clip), api_name="/classify")
        expected = module.score_upload(clip, model, top=3)
        scores = {entry["label"]: entry["confidence"] for entry in prediction["confidences"]}
        assert scores == pytest.approx(expected, rel=1e-4)
        (tmp_path / "bad.mp4").write_bytes(b"no video")
        with pytest.raises(Exception, match="bad.mp4"):
            client.predict(handle_file(tmp_path / "bad.mp4"), api_name="/classify")
    finally:
        page.close()
