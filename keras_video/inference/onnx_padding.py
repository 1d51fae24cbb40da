"""Merges zero padding of inputs into the convolution or pooling that follows.

Keras needs a separate padding operation wherever PyTorch's padding differs from TensorFlow's.
Runtimes merge some of them into the next operation, but not across a change of layout, as before
the first convolution of a network.
"""

from collections import defaultdict

# Operations whose outputs are never negative, and operations that preserve non-negativity.
_NONNEGATIVE = {"Relu", "Sigmoid"}
_KEEPS_SIGNS = {"AveragePool", "Concat", "Identity", "MaxPool", "Transpose"}


def merge_padding(graph, onnx):
    """Merges zero padding into the convolutions and poolings of a graph that consume it."""
    uses, producers = defaultdict(list), {}
    for node in graph.node:
        for name in node.input:
            uses[name].append(node)
        producers.update(dict.fromkeys(node.output, node))
    constants = {tensor.name: tensor for tensor in graph.initializer}
    outputs = {output.name for output in graph.output}
    removed = set()
    for pad in [node for node in graph.node if node.op_type == "Pad"]:
        widths = _zero_padding(pad, constants, onnx)
        if widths is None:
            continue
        source, padded, consumers = pad.input[0], pad.output[0], uses[pad.output[0]]
        names = {padded}
        if len(consumers) == 1 and consumers[0].op_type == "Transpose":
            order = _attributes(consumers[0], onnx)["perm"]
            widths, padded = [widths[axis] for axis in order], consumers[0].output[0]
            consumers = uses[padded]
            names.add(padded)
        nonnegative = _is_nonnegative(source, producers)
        mergeable = (_can_pad(node, padded, widths, nonnegative, onnx) for node in consumers)
        if not consumers or names & outputs or not all(mergeable):
            continue
        for node in consumers:
            _add_pads(node, widths, onnx)
        for node in uses[pad.output[0]]:
            node.input[:] = [source if name == pad.output[0] else name for name in node.input]
        removed |= names
    _drop(graph, removed)


def _zero_padding(pad, constants, onnx):
    """`(before, after)` of every axis of a node that pads with zeros; None for other nodes."""
    values = [constants.get(name) for name in pad.input[1:] if name]
    if _attributes(pad, onnx).get("mode", b"constant") != b"constant" or None in values:
        return None
    widths, *fill = (onnx.numpy_helper.to_array(value) for value in values)
    if len(fill) > 1 or any(value.any() for value in fill) or (widths < 0).any():
        return None
    axes = len(widths) // 2
    return list(zip(widths[:axes].tolist(), widths[axes:].tolist(), strict=True))


def _can_pad(node, padded, widths, nonnegative, onnx):
    """Whether a node can do this padding of its input `padded` itself.

    Zeros do not change the maximum of a window of non-negative values.
    """
    if node.input[0] != padded or padded in node.input[1:] or any(map(any, widths[:2])):
        return False
    values = _attributes(node, onnx)
    if values.get("auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID"):
        return False
    if node.op_type == "Conv":
        return True
    pads = [max(width) for width in widths[2:]]
    return (
        node.op_type == "MaxPool"
        and nonnegative
        and not any(values.get("pads", ()))
        and all(pad < size for pad, size in zip(pads, values["kernel_shape"], strict=True))
    )


def _is_nonnegative(name, producers):
    node = producers.get(name)
    if node is None or node.op_type in _NONNEGATIVE:
        return node is not None
    return node.op_type in _KEEPS_SIGNS and all(_is_nonnegative(x, producers) for x in node.input)


def _add_pads(node, widths, onnx):
    added = [before for before, _ in widths[2:]] + [after for _, after in widths[2:]]
    old = _attributes(node, onnx).get("pads", [0] * len(added))
    others = [item for item in node.attribute if item.name not in ("pads", "auto_pad")]
    del node.attribute[:]
    node.attribute.extend(others)
    pads = [before + more for before, more in zip(old, added, strict=True)]
    node.attribute.append(onnx.helper.make_attribute("pads", pads))


def _drop(graph, removed):
    """Drops pads with these outputs, shapes of these names, and unused constants."""
    nodes = [node for node in graph.node if node.op_type != "Pad" or node.output[0] not in removed]
    shapes = [value for value in graph.value_info if value.name not in removed]
    del graph.node[:], graph.value_info[:]
    graph.node.extend(nodes)
    graph.value_info.extend(shapes)
    used = {name for node in nodes for name in node.input}
    constants = [tensor for tensor in graph.initializer if tensor.name in used]
    del graph.initializer[:]
    graph.initializer.extend(constants)


def _attributes(node, onnx):
    return {item.name: onnx.helper.get_attribute_value(item) for item in node.attribute}
