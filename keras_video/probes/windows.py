"""Features of windows that slide over long videos, computed once."""

from keras_video import data
from keras_video.data.embedded.moving_shapes import home_folder
from keras_video.inference.feature_windows import WindowFeatures
from keras_video.inference.features import FeatureModel
from keras_video.inference.single_view import single_view
from keras_video.inference.sliding_window import over_windows
from keras_video.probes.cache import FeatureCache, content_key
from keras_video.progress import progress_bar


def extract_window_features(body, videos, *, window=None, stride=None, cache=None, verbose=1):
    """Features of the windows of long videos, from the cache where they are there.

    They are what `keras_video.applications.ActionFormer` is trained on. A run that was stopped goes
    on with the video that it was at.

    Args:
        body: a `ProbeBody` without tokens.
        videos: paths of video files.
        window, stride: seconds, see `keras_video.inference.predict_windows`.
        cache: folder of the cache; that of this package in the Keras home if `None`.
        verbose: 0 shows no progress.

    Returns:
        A dict from each path to its `keras_video.inference.WindowFeatures`.

    Raises:
        ValueError: for a body of tokens, or a window that no clip fits into.
        FileNotFoundError: naming a video that does not exist.
        DecodeError: naming a video that cannot be read.
    """
    if body.tokens:
        raise ValueError("received a body of tokens, expected ProbeBody(model): a row a window")
    facts = {**body.facts(), "window": window, "stride": stride}
    store = FeatureCache(home_folder("probe_features") if cache is None else cache, facts)
    network = FeatureModel(body.network, pooling="none")
    protocol = single_view(body.model, body.protocol)

    def of_view(view, _):
        return network(view[None])[0]

    found, source = {}, data.Videos()
    bar = progress_bar(len(videos), "video", verbose)
    for video in videos:
        key = content_key(data.Record(str(video), (0,)), source)
        if store.read(key) is None:
            computed = over_windows(protocol, video, of_view, window, stride)
            WindowFeatures(*computed).save(store, key)
        found[video] = WindowFeatures.load(store, key)
        bar.add(1)
    return found
