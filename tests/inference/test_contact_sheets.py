import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from keras_video import zoo
from keras_video.inference.contact_sheets import (
    contact_sheet,
    label_caption,
    shown_frames,
    write_page,
)

pytestmark = pytest.mark.unit

PIXELS = np.random.default_rng(0).integers(0, 256, (5, 24, 32, 3)).astype(np.uint8)


@pytest.mark.parametrize("to_bgr", [False, True])
def test_normalized_clips_are_converted_back_to_pixels(to_bgr):
    normalize = zoo.Normalize((100.0, 110.0, 120.0), (50.0, 60.0, 70.0), to_bgr=to_bgr)
    clip = PIXELS[..., ::-1] if to_bgr else PIXELS
    clip = (clip - np.array(normalize.mean)) / normalize.std
    np.testing.assert_array_equal(shown_frames(clip, normalize), PIXELS)
    np.testing.assert_array_equal(shown_frames(PIXELS.astype(np.float32)), PIXELS)


def test_flow_is_shown_channel_by_channel():
    flow = PIXELS[..., :2].astype(np.float32)
    shown = shown_frames((flow - 128) / 2, zoo.Normalize((128.0,), (2.0,)))
    assert shown.shape == (10, 24, 32, 3)
    np.testing.assert_array_equal(shown[3, ..., 0], PIXELS[1, ..., 1])


def test_a_spectrogram_is_one_image_with_low_frequencies_at_the_bottom():
    spectrogram = np.zeros((12, 8, 1), np.float32)
    spectrogram[:, 0] = 3
    (shown,) = shown_frames(spectrogram)
    assert shown.shape == (8, 12, 3)
    assert (shown[-1] == 255).all() and (shown[:-1] == 0).all()


def test_other_shapes_are_rejected():
    with pytest.raises(ValueError, match=r"shape \(4, 4\), expected"):
        shown_frames(np.zeros((4, 4)))
    with pytest.raises(ValueError, match=r"shape \(4, 4, 4, 5\)"):
        shown_frames(np.zeros((4, 4, 4, 5)))


def test_a_sheet_has_a_row_of_frames_per_clip():
    sheet = contact_sheet([PIXELS, PIXELS[:2]], ["first", "a caption that is longer"], frames=3)
    assert sheet.dtype == np.uint8 and sheet.shape[2] == 3
    assert sheet.shape[0] == 2 * (24 + 18)
    np.testing.assert_array_equal(sheet[18:42, :32], PIXELS[0])
    np.testing.assert_array_equal(sheet[18:42, 64:96], PIXELS[4])
    np.testing.assert_array_equal(sheet[60:, 32:64], PIXELS[1])
    assert (sheet[:18] < 128).any(), "the caption is drawn"


def test_a_page_plays_every_clip_above_its_caption(tmp_path):
    write_page(tmp_path / "page.html", "row & phase", [PIXELS, PIXELS[:2]], ["<b>", "other"])
    text = (tmp_path / "page.html").read_text()
    assert "row &amp; phase" in text and "&lt;b&gt;" in text and "<b>" not in text
    frames = [
        Image.open(io.BytesIO(base64.b64decode(data))).n_frames
        for data in re.findall(r"data:image/gif;base64,([^\"]+)", text)
    ]
    assert frames == [5, 2]


@pytest.mark.parametrize(
    "label,caption",
    [
        (1, "right"),
        ([0, 1, 0], "right"),
        ([1, 1, 0], "left, right"),
        ([0, 0, 0], "no class"),
        ([0.25, 0, 0.75], "up 0.75, left 0.25"),
    ],
)
def test_captions(label, caption):
    assert label_caption(np.array(label), ["left", "right", "up"]) == caption
