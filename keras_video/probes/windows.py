"""Features of sliding windows over long videos, with a cache."""

from keras_video import data
from keras_video.data.embedded.moving_shapes import home_folder
from keras_video.inference.feature_windows import WindowFeatures
from keras_video.inference.features import FeatureModel
from keras_video.inference.single_view import single_view
from keras_video.inference.sliding_window import over_windows
from keras_video.probes.cache import FeatureCache, content_key
from keras_video.progress import progress_bar


def extract_window_features(body, videos, *, window=None, stride=None, cache=None, verbose=1):
    """Features of the windows of long videos, read from the cache where available.

    `keras_video.applications.ActionFormer` is trained on them. An interrupted run resumes at the
    video where it stopped.

    Args:
        body: a `ProbeBody` without tokens.
        videos: paths of video files.
        window, stride: seconds, see `keras_video.inference.predict_windows`.
        cache: folder of the cache; if `None`, this package's folder in the Keras home.
        verbose: 0 shows no progress.

    Returns:
        A dict from each path to its `keras_video.inference.WindowFeatures`.

    Raises:
        ValueError: for a body with tokens, or a window too short for a clip.
        FileNotFoundError: naming a video that does not exist.
        DecodeError: naming a video that cannot be read.
    """
    if body.tokens:
        raise ValueError(
            "received a body with tokens, expected ProbeBody(model): one vector a window"
        )
    facts = {**body.facts(), "window": window, "stride": stride}
    store = FeatureCache(home_folder("probe_features") if cache is None else cache, facts)
    network = FeatureModel(body.network, pooling="none")
    protocol = single_view(body.model, body.protocol)

    def view_features(view, _):
        return network(view[None])[0]

    features, source = {}, data.Videos()
    bar = progress_bar(len(videos), "video", verbose)
    for video in videos:
        key = content_key(data.Record(str(video), (0,)), source)
        if store.read(key) is None:
            computed = over_windows(protocol, video, view_features, window, stride)
            WindowFeatures(*computed).save(store, key)
        features[video] = WindowFeatures.load(store, key)
        bar.add(1)
    return features
