import keras
import numpy as np
import pytest

from keras_video.training.callbacks import StopWhenDiverged
from keras_video.training.divergence import DivergedError, check_scores, check_weights
from keras_video.training.evaluation import MultiViewEvaluation, evaluate_views
from keras_video.training.resume import backed_up_epoch, resume_callbacks


def model_of(optimizer="sgd", **options):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, name="dense")])
    model.compile(optimizer, "mse", jit_compile=False, **options)
    return model


def fit(model, targets, epochs, callbacks):
    inputs = np.ones((8, 3), "float32")
    return model.fit(
        inputs, targets, 2, epochs=epochs, shuffle=False, callbacks=callbacks, verbose=0
    )


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_non_finite_loss_names_epoch_and_step(value, tmp_path):
    targets = np.ones((8, 1), "float32")
    restore, backup = resume_callbacks(tmp_path)

    def spoil(epoch, logs):
        if epoch == 2:
            targets[5] = value

    good = model_of()
    fit(good, targets, 2, [])
    model = model_of()
    own = keras.callbacks.LambdaCallback(on_epoch_begin=spoil)

    class Examples(keras.utils.PyDataset):
        def __len__(self):
            return 4

        def __getitem__(self, index):
            return np.ones((2, 3), "float32"), targets[2 * index : 2 * index + 2]

    with pytest.raises(DivergedError, match=r"The loss is (nan|inf) in epoch 3, step 3\."):
        model.fit(
            Examples(),
            epochs=5,
            shuffle=False,
            callbacks=[restore, own, StopWhenDiverged(), backup],
            verbose=0,
        )
    assert backed_up_epoch(tmp_path) == 2
    resumed = model_of()
    fit(resumed, np.ones((8, 1), "float32"), 2, [resume_callbacks(tmp_path)[0]])
    for a, b in zip(resumed.get_weights(), good.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_non_finite_weight_ends_the_epoch_despite_a_finite_loss(value, tmp_path):
    """The moving statistics of a norm, used only at inference, do not affect the loss."""
    keras.utils.set_random_seed(0)
    norm = keras.layers.BatchNormalization(name="norm")
    model = keras.Sequential([keras.Input((3,)), norm, keras.layers.Dense(1)])
    model.compile("sgd", "mse", jit_compile=False)

    def spoil(epoch, logs):
        if epoch == 1:
            norm.moving_mean.assign(np.full(3, value))

    own = keras.callbacks.LambdaCallback(on_epoch_begin=spoil)
    restore, backup = resume_callbacks(tmp_path)
    with pytest.raises(DivergedError, match=r"after epoch 2, step 4: .*norm/moving_mean"):
        fit(model, np.ones((8, 1)), 4, [restore, own, StopWhenDiverged(), backup])
    assert backed_up_epoch(tmp_path) == 1


def test_a_non_finite_optimizer_state_is_detected():
    model = model_of(keras.optimizers.SGD(0.01, momentum=0.9))
    fit(model, np.ones((8, 1)), 1, [])
    check_weights(model, "now")
    model.optimizer.variables[-1].assign([np.nan])
    with pytest.raises(DivergedError, match="not finite now: .*momentum"):
        check_weights(model, "now")


def test_a_step_skipped_by_loss_scaling_does_not_diverge():
    """A loss scale that overflows at first: steps are skipped until it is small enough."""
    optimizer = keras.optimizers.LossScaleOptimizer(
        keras.optimizers.SGD(0.01), initial_scale=3e38, dynamic_growth_steps=1000
    )
    model = model_of(optimizer)
    before = model.get_weights()[0].copy()
    scales = []
    note = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: scales.append(float(optimizer.dynamic_scale))
    )
    fit(model, np.full((8, 1), 50.0, "float32"), 8, [note, StopWhenDiverged()])
    assert scales[0] < 3e38, "no step was left out"
    assert np.isfinite(model.get_weights()[0]).all()
    assert not np.array_equal(before, model.get_weights()[0])


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_non_finite_scores_name_the_video(value):
    scores = np.ones((4, 3))
    check_scores(scores)
    scores[2, 1] = value
    with pytest.raises(DivergedError, match="1 of 4 videos .* video 13 of the list"):
        check_scores(scores, first=10)


def test_an_evaluation_rejects_non_finite_scores():
    inputs = keras.Input((1, 2, 2, 3))
    x = keras.layers.GlobalAveragePooling3D()(inputs)
    x = keras.layers.Dense(2, name="fc_cls")(x)
    outputs = keras.layers.Activation("softmax", name="predictions")(x)
    model = keras.Model(inputs, outputs)
    clips = np.ones((3, 1, 1, 2, 2, 3), "float32")
    batches = [(clips, np.zeros(3, int)), (clips.copy(), np.zeros(3, int))]
    evaluate_views(model, batches, verbose=0)
    batches[1][0][1] = np.nan
    with pytest.raises(DivergedError, match="video 5 of the list"):
        evaluate_views(model, batches, verbose=0)
    callback = MultiViewEvaluation(batches, verbose=0)
    callback.set_model(model)
    with pytest.raises(DivergedError, match="after epoch 7: .* video 5"):
        callback.on_epoch_end(6, {"loss": 1.0})
