"""A single entry point for the examples of every row."""

import dataclasses
import inspect

import numpy as np
import pytest
import tensorflow as tf

from keras_video import data, zoo
from keras_video.data.pipelines.options import LoaderOptions
from keras_video.data.rows.presets import processing_of
from keras_video.data.transforms.basic import Normalize
from tests.images import write_image

TSM = zoo.resized(zoo.row("tsm_r50_1x1x8_50e_sthv1_rgb"), 32)
TEMPLATE = TSM.source.test.file_template
# A test protocol with several clips and crops.
I3D = zoo.resized(zoo.row("i3d_r50_32x2x1_100e_kinetics400_rgb"), 32)
FLOW = zoo.resized(zoo.row("tsn_r50_320p_1x1x8_110e_kinetics400_flow"), 32)
LOADERS = (
    data.row_dataset,
    data.protocol_dataset,
    data.video_dataset,
    data.dataset_from_records,
    data.video_dataset_from_directory,
    data.audio_dataset,
    data.audiovisual_dataset,
    data.tfrecord_dataset,
    data.served_dataset,
)


def arrays(dataset):
    return [value.numpy() for batch in dataset for value in tf.nest.flatten(batch)]


def assert_equal(dataset, other):
    results, expected = arrays(dataset), arrays(other)
    assert [array.dtype for array in results] == [array.dtype for array in expected]
    for array, expected_array in zip(results, expected, strict=True):
        np.testing.assert_array_equal(array, expected_array)


def write_frames(folder, row_names, size=(48, 40)):
    """Folders of twelve images each, named as the row specifies, and a list of them."""
    generator = np.random.default_rng(0)
    for name in row_names:
        for number in range(1, 13):
            pixels = generator.integers(0, 256, (*size, 3), dtype=np.uint8)
            write_image(folder / name / TEMPLATE.format(number), pixels)
    lines = (f"{name} 12 {index}\n" for index, name in enumerate(row_names))
    (folder / "frames.txt").write_text("".join(lines))
    return folder / "frames.txt"


@pytest.mark.slow(every_change=True)
@pytest.mark.parametrize("row", [TSM, I3D], ids=lambda row: row.family)
@pytest.mark.parametrize("phase", ["train", "val", "test"])
def test_clips_equal_those_of_the_settings_of_the_row(row, phase, tiny_videos):
    options = {"batch_size": 2, "seed": 3}
    dataset = data.row_dataset(row, tiny_videos / "list.txt", phase, tiny_videos, **options)
    settings = {name: getattr(row, name).phase(phase) for name in ("sampling", "spatial")}
    expected = data.video_dataset(
        tiny_videos / "list.txt",
        tiny_videos,
        sampling=data.row_sampling(row, phase),
        transforms=data.row_transforms(row, phase),
        view_frames=row.view_frames if phase == "test" else None,
        training=phase == "train",
        **options,
    )
    assert_equal(dataset.take(1), expected.take(1))
    shape = dataset.element_spec[0].shape[1:]
    if phase == "train":
        assert shape == row.input_shape
    else:
        views = settings["spatial"].crop.views * settings["sampling"].total_frames(False)
        frames = shape[0] if len(shape) == 4 else shape[0] * shape[1]
        assert frames == views and shape[-4] == row.input_shape[0]
        assert len(shape) == (4 if views == row.input_shape[0] else 5)


def test_a_list_records_and_a_folder_produce_the_same_examples(tiny_videos):
    folder = tiny_videos
    listed = data.row_dataset(TSM, folder / "list.txt", "test", folder, batch_size=None)
    records = data.read_annotations(folder / "list.txt", folder)
    assert_equal(data.row_dataset(TSM, records, "test", batch_size=None).take(3), listed.take(3))
    classes = data.row_dataset(TSM, folder, "test", batch_size=None)
    assert classes.class_names == ["left", "right"]
    assert sorted(classes.file_paths) == sorted(record.path for record in records)
    by_path = {record.path: clip for record, (clip, _) in zip(records, listed, strict=True)}
    for path, (clip, label) in zip(classes.file_paths, classes, strict=True):
        np.testing.assert_array_equal(clip, by_path[path])
        assert classes.class_names[int(label)] in path


def test_a_folder_is_split_by_the_phase(tiny_videos):
    def paths(phase, **options):
        return set(data.row_dataset(TSM, tiny_videos, phase, **options).file_paths)

    everything = paths("val")
    train, val = (paths(phase, validation_split=0.5) for phase in ("train", "val"))
    assert train and val and not train & val and train | val == everything
    assert paths("test", validation_split=0.5) == val
    seeds = [paths("val", validation_split=0.5, split_seed=seed) for seed in range(8)]
    assert seeds[0] == val and any(other != val for other in seeds)
    assert data.row_dataset(TSM, tiny_videos, "train", validation_split=0.5).class_names == [
        "left",
        "right",
    ]
    with pytest.raises(ValueError, match="validation_split=0.5, expected a folder"):
        data.row_dataset(TSM, tiny_videos / "list.txt", "val", tiny_videos, validation_split=0.5)
    with pytest.raises(ValueError, match="validation_split=1.5, expected between 0 and 1"):
        paths("val", validation_split=1.5)
    with pytest.raises(ValueError, match="split_seed=3, which has no effect without a split"):
        paths("val", split_seed=3)


def test_the_kind_of_a_list_is_detected(tmp_path):
    """The row specifies frames; its list may contain videos, frames or images."""
    frames = write_frames(tmp_path, ["a", "b"])
    assert TSM.source.test.kind == "rawframes"
    dataset = data.row_dataset(TSM, frames, "test", tmp_path, batch_size=2)
    expected = data.protocol_dataset(
        TSM.protocol("test"), frames, tmp_path, source=data.RawFrames(TEMPLATE), batch_size=2
    )
    assert_equal(dataset, expected)
    records = data.read_annotations(frames, tmp_path, annotation_format=data.frame_lines)
    assert_equal(data.row_dataset(TSM, records, "test", batch_size=2), expected)
    (tmp_path / "pictures.txt").write_text(f"a/{TEMPLATE.format(1)} 0\nb/{TEMPLATE.format(1)} 1\n")
    clips, _ = next(iter(data.row_dataset(TSM, tmp_path / "pictures.txt", "test", tmp_path)))
    assert clips.shape[0] == 2 and clips.shape[2:] == TSM.test_input_shape
    np.testing.assert_array_equal(clips[:, :, 0], clips[:, :, 7])


def test_a_row_of_another_project_does_not_specify_its_data(tiny_videos):
    row = next(row for row in zoo.rows(kind="model") if row.source is None and row.spatial)
    row = zoo.resized(row, 64)
    clips, _ = next(iter(data.row_dataset(row, tiny_videos / "list.txt", "test", tiny_videos)))
    assert clips.shape[2:] == row.test_input_shape


def test_flow_needs_flow(tiny_videos):
    with pytest.raises(ValueError, match="received kind='video', expected one of flow"):
        data.row_dataset(FLOW, tiny_videos / "list.txt", "test", tiny_videos)


def test_a_source_for_joint_training(tmp_path):
    row = zoo.resized(zoo.row("tsn_r50_1x1x8_100e_minikinetics_googleimage_rgb"), 32)
    write_frames(tmp_path, ["a"])
    (tmp_path / "web.txt").write_text(f"a/{TEMPLATE.format(1)} 0\na/{TEMPLATE.format(2)} 1\n")
    options = {"batch_size": 2, "classes": 2}
    dataset = data.row_dataset(row, tmp_path / "web.txt", "train", tmp_path, joint=1, **options)
    assert dataset.element_spec[0].shape == (None, 1, 32, 32, 3)  # one frame of an image
    assert len(arrays(dataset)) == 2
    with pytest.raises(
        ValueError, match="joint=2: .* trained on 2 sources, expected one of 0 to 1"
    ):
        data.row_dataset(row, tmp_path / "web.txt", "train", tmp_path, joint=2)
    with pytest.raises(ValueError, match="joint=0: .* trained on 1 sources, expected None"):
        data.row_dataset(TSM, tmp_path / "web.txt", "train", tmp_path, joint=0)


def test_pixels_are_normalized_as_the_protocol_specifies(tiny_videos):
    protocol = TSM.protocol("test")
    plain = dataclasses.replace(protocol, normalize=None)
    files = (tiny_videos / "list.txt", tiny_videos)
    pixels, _ = next(iter(data.protocol_dataset(plain, *files)))
    clips, _ = next(iter(data.protocol_dataset(protocol, *files)))
    assert pixels.dtype == tf.uint8
    transform = Normalize(protocol.normalize.mean, protocol.normalize.std)
    np.testing.assert_array_equal(transform(pixels), clips)
    assert processing_of(protocol).normalize == transform
    assert processing_of(plain).transforms == processing_of(protocol).transforms


def test_audio_and_audiovisual_sources_are_detected(tmp_path):
    folder = tmp_path / "videos"
    shapes = data.make_audio_shapes(
        folder, "both", videos_per_class=1, val_videos_per_class=1, size=48
    )
    both = zoo.row("avslowfast_r50_16x2x1_audio_shapes")
    for phase in ("train", "test"):
        options = {"batch_size": 2, "seed": 2}
        expected = data.audiovisual_dataset(
            shapes.val_list,
            shapes.root,
            sampling=data.row_sampling(both, phase),
            video_transforms=data.row_transforms(both, phase),
            audio_transforms=data.row_audio_transforms(both),
            source=data.AudioVisual(waveforms=data.row_audio_source(both)),
            training=phase == "train",
            **options,
        )
        dataset = data.row_dataset(both, shapes.val_list, phase, shapes.root, **options)
        assert dataset.element_spec[0]["video"].dtype == tf.float32
        assert_equal(dataset.take(1), expected.take(1))


def test_contradictions_are_rejected(tiny_videos):
    records = data.read_annotations(tiny_videos / "list.txt", tiny_videos)
    with pytest.raises(ValueError, match="received root=.*, which only apply to annotation files"):
        data.row_dataset(TSM, records, "test", tiny_videos)
    with pytest.raises(
        ValueError, match="annotation_format=.*, which only apply to annotation files"
    ):
        data.row_dataset(TSM, tiny_videos, "test", annotation_format=data.video_lines)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        data.row_dataset(TSM, tiny_videos / "nowhere.txt", "test", source=data.Videos())
    with pytest.raises(ValueError, match="phase='holiday'"):
        data.row_dataset(TSM, tiny_videos / "list.txt", "holiday", tiny_videos)


@pytest.mark.parametrize("loader", LOADERS, ids=lambda loader: loader.__name__)
def test_loaders_spell_out_the_options_they_share(loader):
    shared = {field.name: field for field in dataclasses.fields(LoaderOptions)}
    others = {"num_parallel_calls"} if loader is data.served_dataset else set()
    parameters = inspect.signature(loader).parameters
    for name, parameter in parameters.items():
        assert parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
        assert parameter.annotation is not parameter.empty, name
        if name in shared and name not in others:
            assert parameter.default == shared[name].default, name
        assert f"{name}" in loader.__doc__, name
    assert len(set(parameters) & set(shared)) >= 8
    assert inspect.signature(loader).return_annotation is tf.data.Dataset


def test_options_reach_the_pipeline(tiny_videos):
    """Every loader forwards the options of its caller."""
    values = {"batch_size": 3, "seed": 7, "classes": 5, "drop_remainder": True, "shuffle": False}
    options = LoaderOptions.of({**values, "records": 1, "transforms": 2}, training=True)
    assert options == LoaderOptions(training=True, **values)
    assert not options.shuffles and LoaderOptions(training=True).shuffles
    dataset = data.row_dataset(
        TSM, tiny_videos / "list.txt", "test", tiny_videos, batch_size=3, drop_remainder=True
    )
    assert [len(labels) for _, labels in dataset] == [3, 3]
    several = data.row_dataset(
        TSM, tiny_videos / "list.txt", "test", tiny_videos, classes=5, multi_label=True
    )
    assert several.element_spec[1].shape == (None, 5)
