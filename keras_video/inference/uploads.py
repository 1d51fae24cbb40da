"""A page on which people upload a video and see what a model says. Needs the extra `serve`."""

import functools

from keras_video.data.decoding.videos import DecodeError
from keras_video.inference.classification import classify


def upload_page(model, top=5, views=(1, 1)):
    """A page of gradio with a video to upload and the scores of its best classes.

    Args:
        model: a video classifier, see `classify`.
        top: how many classes are shown.
        views: `(clips, crops)` of every video; `None` takes those of the model's protocol, which
            are more exact and may take long.

    Returns:
        A `gradio.Interface`: `upload_page(model).launch()` opens it to this machine.

    Raises:
        ModuleNotFoundError: if gradio is not installed.
    """
    gradio = _gradio()

    def scores(video):
        if not video:
            raise gradio.Error("No video was uploaded.")
        try:
            return score_upload(video, model, top, views)
        except DecodeError as error:
            raise gradio.Error(str(error)) from error

    return gradio.Interface(
        fn=scores,
        inputs=gradio.Video(label="Video"),
        outputs=gradio.Label(num_top_classes=top, label="Scores"),
        title=model.name,
        flagging_mode="never",
        api_name="classify",
    )


def score_upload(video, model, top=5, views=(1, 1)):
    """The best classes of a video file: a dictionary from the name to the score.

    Raises:
        DecodeError: if it does not decode.
    """
    found = classify(video, model, top=top, views=views, verbose=0)
    return {one.label: float(one.score) for one in found}


@functools.cache
def _gradio():
    try:
        import gradio
    except ModuleNotFoundError as error:
        if error.name != "gradio":
            raise
        raise ModuleNotFoundError(
            "The page needs gradio: pip install keras-video[serve]", name="gradio"
        ) from error
    return gradio
