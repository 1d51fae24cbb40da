import pytest

from keras_video import data, zoo
from keras_video.data import FlowFrames, Images, RawFrames, VideoParts, Videos
from keras_video.data.rows.sources import joint_sources, row_annotation_format, row_source

pytestmark = pytest.mark.unit


def test_every_row_of_frames_has_a_source():
    rows = [row for row in zoo.rows() if row.source is not None and row.modality != "Audio"]
    assert len(rows) > 170
    for row in rows:
        stated = row.source.phase("test")
        source = row_source(row)
        kinds = {"video": Videos, "rawframes": RawFrames, "flow": FlowFrames}
        assert type(source) is kinds[stated.kind], row.name
        assert stated.kind == "video" or source.template == stated.file_template
        # The shape of a training clip from the source is the input shape of the model.
        frames, _, _, channels = row.input_shape
        if row.sampling.train is not None:
            clips, clip_len = row.sampling.train.num_clips, row.sampling.train.clip_len
            shape = source.shape(clips, clip_len)
            assert (shape[0], shape[-1]) == (frames, channels), row.name


def test_flow_is_stacked_for_networks_over_images():
    assert row_source(zoo.row("tsn_r50_320p_1x1x8_110e_kinetics400_flow")).stacked
    assert not row_source(zoo.row("slowonly_r50_8x8x1_196e_kinetics400_flow")).stacked


def test_annotation_formats():
    activitynet = zoo.row("tsn_r50_320p_1x1x8_150e_activitynet_video_flow")
    assert row_annotation_format(activitynet, "train") is data.frame_lines
    assert row_annotation_format(activitynet, "test") is data.offset_lines
    frames = zoo.row("tsn_r50_1x1x3_100e_kinetics400_rgb")
    assert row_annotation_format(frames, "train") is data.frame_lines
    assert row_annotation_format(frames, "train", "video") is data.video_lines


def test_another_kind():
    row = zoo.row("tsn_r50_1x1x3_100e_kinetics400_rgb")
    assert row_source(row, "video") == Videos()
    assert row_source(row, "images") == Images()
    flow = zoo.row("tsn_r50_320p_1x1x8_110e_kinetics400_flow")
    with pytest.raises(ValueError, match="received kind='video', expected one of flow"):
        row_source(flow, "video")
    with pytest.raises(ValueError, match="received kind='flow'"):
        row_source(row, "flow")


def test_joint_training():
    row = zoo.row("slowonly_r50_8x8x1_256e_minikinetics_omnisource_rgb")
    assert joint_sources(row) == (Videos(), Images(8), Videos(), VideoParts("part_{}.mp4"))
    images = zoo.row("tsn_r50_1x1x8_100e_minikinetics_googleimage_rgb")
    assert joint_sources(images) == (Videos(), Images(1))
    assert joint_sources(zoo.row("tsn_r50_1x1x3_100e_kinetics400_rgb")) == ()


def test_audio_has_separate_sources():
    row = next(row for row in zoo.rows() if row.modality == "Audio" and row.source is not None)
    with pytest.raises(ValueError, match="expected frames"):
        row_source(row)
