"""Memory of a training step, as planned by the compiler; nothing is computed.

    python benchmarks/training_memory.py --row vit-large-p16_videomae-k400-pre_16x4x1_kinetics-400 \
        --rematerialize

JAX compiles one step of AdamW on a clip for the CPU, and its memory plan is printed: the step's
inputs (weights, two moments, clip), what it needs besides, and both together. By default the
compiler for CPUs drops the barriers that prevent merging the second computation of a block with
the first, so that rematerialization saves nothing there; the flag that this script sets keeps
them, as compilers for GPUs and TPUs do.
"""

import argparse
import os

os.environ["KERAS_BACKEND"] = "jax"
os.environ["JAX_PLATFORMS"] = "cpu"
FLAG = "--xla_disable_hlo_passes=cse_barrier_expander"
os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {FLAG}".strip()

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402

from keras_video import training, zoo  # noqa: E402


def compiled_step(model, batch):
    """The compiled step of AdamW on a batch, with donated weights and moments.

    Args:
        model: a classifier that outputs logits.
        batch: number of clips.
    """
    optimizer = training.AdamW(1e-4, weight_decay=0.05)
    optimizer.build(model.trainable_variables)

    def loss(weights, others, clips, labels):
        logits, others = model.stateless_call(weights, others, clips, training=True)
        chosen = jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], 1)
        return -chosen.mean(), others

    def step(weights, others, state, clips, labels):
        gradient = jax.grad(loss, has_aux=True)
        gradients, others = gradient(weights, others, clips, labels)
        weights, state = optimizer.stateless_apply(state, gradients, weights)
        return weights, others, state

    shape = (batch, *model.input_shape[1:])
    arguments = [
        [jax.ShapeDtypeStruct(v.shape, v.dtype) for v in variables]
        for variables in (
            model.trainable_variables,
            model.non_trainable_variables,
            optimizer.variables,
        )
    ]
    clips = jax.ShapeDtypeStruct(shape, jnp.float32)
    labels = jax.ShapeDtypeStruct((batch,), jnp.int32)
    return jax.jit(step, donate_argnums=(0, 1, 2)).lower(*arguments, clips, labels).compile()


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--row", required=True, help="row of the zoo")
    parser.add_argument("--batch", type=int, default=1, help="clips per step")
    parser.add_argument(
        "--rematerialize", action="store_true", help="recompute blocks in the backward pass"
    )
    options = parser.parse_args()
    row = zoo.row(options.row)
    model = row.model(rematerialize=options.rematerialize, classifier_activation=None)
    plan = compiled_step(model, options.batch).memory_analysis()
    taken, needed = plan.argument_size_in_bytes, plan.temp_size_in_bytes
    total = taken + needed + plan.output_size_in_bytes - plan.alias_size_in_bytes
    print(
        f"{row.name}: {options.batch} x {row.input_shape}, rematerialize={options.rematerialize}: "
        f"takes {taken / 1e9:.3f} GB, needs {needed / 1e9:.3f} GB, together {total / 1e9:.3f} GB"
    )


if __name__ == "__main__":
    main()
