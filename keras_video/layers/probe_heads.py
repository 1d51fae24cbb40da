"""Layers of probes on frozen networks: standardization, attention pooling, nearest neighbors."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("keras_video")
class Standardize(keras.layers.Layer):
    """Subtracts a mean and divides by a standard deviation, both non-trainable weights.

    Input and output: `(..., width)`.
    """

    def build(self, input_shape):
        shape = (input_shape[-1],)
        self.mean = self.add_weight(shape, initializer="zeros", trainable=False, name="mean")
        self.deviation = self.add_weight(
            shape, initializer="ones", trainable=False, name="deviation"
        )
        super().build(input_shape)

    def call(self, x):
        x = ops.cast(x, self.compute_dtype)
        mean, deviation = (ops.cast(weight, x.dtype) for weight in (self.mean, self.deviation))
        return (x - mean) / deviation

    def compute_output_shape(self, input_shape):
        return input_shape


@keras.saving.register_keras_serializable("keras_video")
class QueryPooling(keras.layers.Layer):
    """Attention pooling by learned queries, each over its own part of the channels.

    It has no projections, so few weights for few examples: query `h` scores every token by all of
    its channels, and the softmax of its scores weights the `h`-th part of the channels. Queries are
    initialized to zero: the layer then is the mean over the tokens.

    Input: `(batch, tokens, width)`. Output: `(batch, width)`.

    Args:
        queries: number of queries; it divides the width.
        positions: whether every position has its own scores, so that the queries distinguish early
            tokens from late ones. The weights' shape then depends on the token count.

    Raises:
        ValueError: for a width that the queries do not divide, or an unknown number of tokens with
            `positions`.
    """

    def __init__(self, queries, positions=True, **kwargs):
        super().__init__(**kwargs)
        self.queries = queries
        self.positions = positions

    def build(self, input_shape):
        _, tokens, width = input_shape
        if width % self.queries:
            raise ValueError(f"queries={self.queries}: expected a divisor of the width {width}.")
        self.query = self.add_weight((width, self.queries), initializer="zeros", name="query")
        if self.positions:
            if tokens is None:
                raise ValueError(
                    "positions=True: received an unknown number of tokens, expected a known one."
                )
            shape = (tokens, self.queries)
            self.position = self.add_weight(shape, initializer="zeros", name="position")
        super().build(input_shape)

    def call(self, x):
        width = x.shape[-1]
        scores = ops.matmul(x, ops.cast(self.query, x.dtype)) / width**0.5  # (b, tokens, queries)
        if self.positions:
            scores = scores + ops.cast(self.position, x.dtype)
        weights = ops.softmax(scores, axis=1)
        values = ops.reshape(x, (-1, ops.shape(x)[1], self.queries, width // self.queries))
        pooled = ops.sum(weights[..., None] * values, axis=1)
        return ops.reshape(pooled, (-1, width))

    def compute_output_shape(self, input_shape):
        return (input_shape[0], input_shape[-1])

    def get_config(self):
        config = {"queries": self.queries, "positions": self.positions}
        return {**super().get_config(), **config}


@keras.saving.register_keras_serializable("keras_video")
class NearestNeighbors(keras.layers.Layer):
    """k-nearest-neighbor logits; the stored examples are non-trainable weights.

    The `neighbors` most similar examples vote for their class with weight
    `exp(cosine similarity / temperature)`, as in DINO (arXiv:2104.14294, temperature 0.07 there);
    a softmax of the logits gives the fractions of the votes.

    Input: `(batch, width)`. Output: `(batch, classes)`.

    Args:
        classes: number of outputs.
        examples: number of stored examples.
        neighbors: number of examples that vote.
        temperature: the smaller it is, the more the nearest examples count.
    """

    def __init__(self, classes, examples, neighbors=5, temperature=0.07, **kwargs):
        super().__init__(**kwargs)
        self.classes = classes
        self.examples = examples
        self.neighbors = neighbors
        self.temperature = temperature

    def build(self, input_shape):
        width = input_shape[-1]
        self.keys = self.add_weight((self.examples, width), trainable=False, name="keys")
        self.votes = self.add_weight((self.examples, self.classes), trainable=False, name="votes")
        super().build(input_shape)

    def call(self, x):
        similarity = ops.matmul(_unit(x), ops.transpose(_unit(ops.cast(self.keys, x.dtype))))
        nearest, indices = ops.top_k(similarity, min(self.neighbors, self.examples))
        # Relative to the most similar example: the factor cancels in the normalization.
        weights = ops.exp((nearest - nearest[:, :1]) / self.temperature)
        votes = ops.take(ops.cast(self.votes, x.dtype), indices, axis=0)  # (b, neighbors, classes)
        fractions = ops.sum(weights[..., None] * votes, axis=1)
        fractions = fractions / ops.sum(fractions, axis=-1, keepdims=True)
        return ops.log(fractions + keras.config.epsilon())

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.classes)

    def get_config(self):
        config = {
            "classes": self.classes,
            "examples": self.examples,
            "neighbors": self.neighbors,
            "temperature": self.temperature,
        }
        return {**super().get_config(), **config}


def _unit(x):
    """Vectors normalized to length 1; zero vectors are unchanged."""
    length = ops.sqrt(ops.sum(ops.square(x), axis=-1, keepdims=True))
    return x / ops.maximum(length, keras.config.epsilon())
