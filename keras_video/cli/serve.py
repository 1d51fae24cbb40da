r"""Serves a web page for uploading and classifying videos.

    keras-video serve --row tsn_r50_1x1x8_100e_kinetics400_rgb
    keras-video serve --model work_dirs/run/model.keras --port 7000

Only this machine can open the page; `--host 0.0.0.0` opens it to everyone who can reach the
machine. Programs can call the `classify` endpoint with the Gradio client.
"""

from keras_video.cli.models import chosen_model, define_model_flags
from keras_video.inference.uploads import upload_page

INTERRUPTED = ""


def define(flags):
    define_model_flags(flags)
    flags.group("Scores")
    flags.integer("top", 5, "number of classes to show", 1)
    flags.integers(
        "views", "clips x crops, such as 10x3; one center-cropped clip if not given", 2, "x"
    )
    flags.group("Server")
    flags.string("host", "127.0.0.1", "address to listen on; 0.0.0.0 for all interfaces")
    flags.integer("port", 7860, "port to listen on", 1, 65535)
    flags.switch("browser", True, "open the page in a browser")


def run(options, _):
    page = upload_page(chosen_model(options), options.top, tuple(options.views or (1, 1)))
    page.launch(
        server_name=options.host, server_port=options.port, inbrowser=options.browser, share=False
    )
