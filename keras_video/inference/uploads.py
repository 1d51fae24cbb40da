"""A web page for uploading a video and viewing its scores. Needs the extra `serve`."""

import functools

from keras_video.data.decoding.videos import DecodeError
from keras_video.inference.classification import classify


def upload_page(model, top=5, views=(1, 1)):
    """A Gradio page for uploading a video, which shows the scores of its top classes.

    Args:
        model: a video classifier, see `classify`.
        top: number of classes to show.
        views: `(clips, crops)` of every video; `None` takes those of the model's protocol, which
            are more accurate but may be slow.

    Returns:
        A `gradio.Interface`: `upload_page(model).launch()` serves it on this machine.

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
    """The top classes of a video file: a dictionary from class name to score.

    Raises:
        DecodeError: if the video cannot be decoded.
    """
    predictions = classify(video, model, top=top, views=views, verbose=0)
    return {prediction.label: float(prediction.score) for prediction in predictions}


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
