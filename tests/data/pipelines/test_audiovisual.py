import numpy as np
import pytest
import tensorflow as tf

from keras_video import data
from keras_video.data import (
    AudioVisual,
    LogMelFeatures,
    Normalize,
    Resize,
    SampleFrames,
    ThreeCrop,
    Waveforms,
    audiovisual_dataset,
    make_audio_shapes,
)

SAMPLING = SampleFrames(6, frame_interval=2, num_clips=1)
VIDEO = (Resize(short_side=32), Normalize((0.0,) * 3, (255.0,) * 3))
AUDIO = (LogMelFeatures(mels=20, length=16),)
SOURCE = AudioVisual(waveforms=Waveforms(length=4000))


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shapes") / "videos"
    return make_audio_shapes(folder, "both", videos_per_class=2, val_videos_per_class=1, size=32)


def dataset(list_file, root, **options):
    common = {
        "sampling": SAMPLING,
        "video_transforms": VIDEO,
        "audio_transforms": AUDIO,
        "source": SOURCE,
    }
    return audiovisual_dataset(list_file, root, **{**common, "batch_size": 8, **options})


@pytest.mark.parametrize("training", [True, False])
def test_clips_and_audio_equal_those_of_the_separate_loaders(shapes, training):
    common = {"training": training, "batch_size": 8, "seed": 3}
    both, labels = next(iter(dataset(shapes.train_list, shapes.root, **common)))
    clips, video_labels = next(
        iter(
            data.video_dataset(
                shapes.train_list, shapes.root, sampling=SAMPLING, transforms=VIDEO, **common
            )
        )
    )
    waves, audio_labels = next(
        iter(
            data.audio_dataset(
                shapes.train_list,
                shapes.root,
                sampling=SAMPLING,
                source=SOURCE.waveforms,
                transforms=AUDIO,
                **common,
            )
        )
    )
    assert both["video"].shape == (8, 6, 32, 32, 3)
    assert both["audio"].shape == (8, 16, 20, 1)
    np.testing.assert_array_equal(both["video"], clips)
    np.testing.assert_array_equal(both["audio"], waves)
    np.testing.assert_array_equal(labels, video_labels)
    np.testing.assert_array_equal(labels, audio_labels)


def test_crops_of_a_clip_have_its_audio(shapes):
    batches = dataset(
        shapes.val_list,
        shapes.root,
        sampling=SampleFrames(6, num_clips=2),
        video_transforms=(Resize(size=(32, 48)), ThreeCrop(32), VIDEO[-1]),
    )
    assert batches.element_spec[0]["audio"].shape[1:] == (6, 16, 20, 1)
    both, _ = next(iter(batches))
    assert both["video"].shape == (4, 6, 6, 32, 32, 3)
    audio = both["audio"].numpy()
    for clip in (0, 3):
        for crop in (1, 2):
            np.testing.assert_array_equal(audio[:, clip], audio[:, clip + crop])
    assert np.abs(audio[:, 0] - audio[:, 3]).max() > 0.05


def test_videos_without_audio_are_reported_skipped_or_silent(shapes, tiny_videos, tmp_path):
    silent = tiny_videos / "left" / "video0.mp4"
    (tmp_path / "list.txt").write_text(
        f"{shapes.root}/train/red_circle_low/0000.mp4 0\n{silent} 1\n"
    )
    transforms = (Resize(size=(32, 32)), VIDEO[-1])
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"video0.mp4: it has no audio track"):
        list(dataset(tmp_path / "list.txt", video_transforms=transforms, root=None))
    options = {"root": None, "video_transforms": transforms}
    _, labels = next(iter(dataset(tmp_path / "list.txt", on_error="skip", **options)))
    assert labels.numpy().tolist() == [0]
    source = AudioVisual(waveforms=Waveforms(length=4000, silence=True))
    both, labels = next(iter(dataset(tmp_path / "list.txt", source=source, **options)))
    assert labels.numpy().tolist() == [0, 1]
    assert both["video"].numpy()[1].any() and not both["audio"].numpy()[1].any()


def test_several_clips_in_training_are_rejected(shapes):
    with pytest.raises(ValueError, match="2 clips|12 frames"):
        dataset(
            shapes.train_list, shapes.root, training=True, sampling=SampleFrames(6, num_clips=2)
        )
