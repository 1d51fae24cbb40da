import numpy as np
import pytest

from keras_video.data.annotations.records import Record
from keras_video.data.audio import sources
from keras_video.data.audio.sources import AudioFeatures, Waveforms
from keras_video.data.decoding.videos import DecodeError
from keras_video.data.embedded.audio_shapes import make_audio_shapes
from tests.data.audio.test_decoding import tone, write_audio

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shapes") / "videos"
    return make_audio_shapes(folder, videos_per_class=1, val_videos_per_class=1, size=32)


def record(path, frames=None):
    return Record(str(path), (0,), "list.txt", 3, total_frames=frames)


def test_a_clip_contains_the_audio_of_its_frames(tmp_path):
    wave = tone(2.0)
    opened = Waveforms(length=9000).open(record(write_audio(tmp_path / "a.wav", [wave]), frames=40))
    assert opened.total_frames == 40
    parts = opened.read(np.array([np.arange(10), np.arange(20, 30)]))
    assert parts.shape == (2, 9000)
    # Frame i ends at sample (i + 1) * 800.
    np.testing.assert_allclose(parts[0, :7200], wave[800:8000], atol=1e-4)
    assert not parts[:, 7200:].any()
    np.testing.assert_allclose(parts[1, :7200], wave[16800:24000], atol=1e-4)
    parts = opened.read(np.arange(40)[None])
    np.testing.assert_allclose(parts[0], wave[800:9800], atol=1e-4)


def test_frames_are_those_of_the_video_if_there_is_one(tmp_path, shapes):
    video = shapes.root / "train/low/0000.mp4"
    assert Waveforms().open(record(video)).total_frames == 48
    assert Waveforms().open(record(video, frames=7)).total_frames == 7
    flac = write_audio(tmp_path / "a.flac", [tone(2.0)])
    assert Waveforms().open(record(flac)).total_frames == 50
    assert Waveforms(frame_rate=30).open(record(flac)).total_frames == 60


def test_silence_replaces_missing_audio_if_allowed(tmp_path, tiny_videos, caplog):
    silent, missing = tiny_videos / "left" / "video0.mp4", tmp_path / "gone.wav"
    for path, reason in ((silent, "no audio track"), (missing, "no such file")):
        with pytest.raises(DecodeError, match=reason):
            Waveforms().open(record(path))
        sources._warn_once.cache_clear()
        caplog.clear()
        with caplog.at_level("WARNING"):
            opened = Waveforms(length=100, silence=True).open(record(path))
        parts = opened.read(np.arange(opened.total_frames)[None])
        assert parts.shape == (1, 100) and not parts.any()
        assert f"{path.name}: " in caplog.text and "silence" in caplog.text
    with pytest.raises(DecodeError, match=r"bad\.mp4"):
        Waveforms(silence=True).open(record(tiny_videos / "bad.mp4"))


def test_features_of_clips(tmp_path):
    features = np.arange(200 * 3, dtype="float32").reshape(200, 3)
    np.save(tmp_path / "a.npy", features)
    source = AudioFeatures(length=60, mels=3)
    for name in ("a.npy", "a"):
        opened = source.open(record(tmp_path / name, frames=100))
        parts = opened.read(np.arange(24)[None])
        assert parts.shape == (1, 60, 3) and parts.dtype == np.float32
        np.testing.assert_array_equal(parts[0, :46], features[2:48])
        assert not parts[0, 46:].any()


def test_invalid_features(tmp_path):
    source = AudioFeatures(mels=3)
    np.save(tmp_path / "four.npy", np.zeros((9, 4)))
    np.save(tmp_path / "objects.npy", np.array([{}, {}]))
    (tmp_path / "text.npy").write_text("no array")
    with pytest.raises(
        DecodeError, match=r"four.npy: expected an array \(rows, 3\), found \(9, 4\)"
    ):
        source.open(record(tmp_path / "four.npy", 9))
    for name in ("objects", "text"):
        with pytest.raises(DecodeError, match=f"{name}.npy: not an array of numbers"):
            source.open(record(tmp_path / f"{name}.npy", 9))
    with pytest.raises(DecodeError, match=r"gone.npy: there is no such file"):
        source.open(record(tmp_path / "gone", 9))
    with pytest.raises(ValueError, match=r"list.txt:3: received total_frames=None"):
        source.open(record(tmp_path / "four.npy"))
    opened = AudioFeatures(length=5, mels=3, silence=True).open(record(tmp_path / "gone", 9))
    assert opened.read(np.arange(4)[None]).shape == (1, 5, 3)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Waveforms(length=0),
        lambda: Waveforms(sample_rate=-1),
        lambda: Waveforms(decoder="ears"),
        lambda: AudioFeatures(mels=0),
    ],
)
def test_invalid_settings_are_rejected(make):
    with pytest.raises(ValueError, match="received"):
        make()
