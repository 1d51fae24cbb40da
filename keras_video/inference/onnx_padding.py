"""Zeros around what a convolution or pooling takes, as its own padding in place of an operation.

Keras pads first where PyTorch's padding is not TensorFlow's. Runtimes put some of it into what
comes next, but not with a change of layout between, which the first convolution of a network has.
"""

from collections import defaultdict

# What gives no negative numbers, and what gives none if it gets none.
_POSITIVE = {"Relu", "Sigmoid"}
_KEEPS_SIGNS = {"AveragePool", "Concat", "Identity", "MaxPool", "Transpose"}


def merge_padding(graph, onnx):
    """Gives convolutions and poolings of a graph the zeros that are put around what they take."""
    uses, makers = defaultdict(list), {}
    for node in graph.node:
        for name in node.input:
            uses[name].append(node)
        makers.update(dict.fromkeys(node.output, node))
    constants = {one.name: one for one in graph.initializer}
    kept = {one.name for one in graph.output}
    changed = set()
    for pad in [node for node in graph.node if node.op_type == "Pad"]:
        widths = _zeros_around(pad, constants, onnx)
        if widths is None:
            continue
        source, taken, takers = pad.input[0], pad.output[0], uses[pad.output[0]]
        names = {taken}
        if len(takers) == 1 and takers[0].op_type == "Transpose":
            order = _attributes(takers[0], onnx)["perm"]
            widths, taken = [widths[axis] for axis in order], takers[0].output[0]
            takers = uses[taken]
            names.add(taken)
        positive = _is_positive(source, makers)
        able = (_can_pad(one, taken, widths, positive, onnx) for one in takers)
        if not takers or names & kept or not all(able):
            continue
        for one in takers:
            _add_pads(one, widths, onnx)
        for one in uses[pad.output[0]]:
            one.input[:] = [source if name == pad.output[0] else name for name in one.input]
        changed |= names
    _drop(graph, changed)


def _zeros_around(pad, constants, onnx):
    """`(before, after)` of every axis of a node that puts zeros there; None of another."""
    values = [constants.get(name) for name in pad.input[1:] if name]
    if _attributes(pad, onnx).get("mode", b"constant") != b"constant" or None in values:
        return None
    widths, *fill = (onnx.numpy_helper.to_array(one) for one in values)
    if len(fill) > 1 or any(one.any() for one in fill) or (widths < 0).any():
        return None
    axes = len(widths) // 2
    return list(zip(widths[:axes].tolist(), widths[axes:].tolist(), strict=True))


def _can_pad(node, taken, widths, positive, onnx):
    """Whether a node that takes something can put these zeros around it.

    The greatest of a window is the same with zeros as without, where nothing is negative.
    """
    if node.input[0] != taken or taken in node.input[1:] or any(map(any, widths[:2])):
        return False
    values = _attributes(node, onnx)
    if values.get("auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID"):
        return False
    if node.op_type == "Conv":
        return True
    pads = [max(one) for one in widths[2:]]
    return (
        node.op_type == "MaxPool"
        and positive
        and not any(values.get("pads", ()))
        and all(pad < size for pad, size in zip(pads, values["kernel_shape"], strict=True))
    )


def _is_positive(name, makers):
    maker = makers.get(name)
    if maker is None or maker.op_type in _POSITIVE:
        return maker is not None
    return maker.op_type in _KEEPS_SIGNS and all(_is_positive(one, makers) for one in maker.input)


def _add_pads(node, widths, onnx):
    added = [before for before, _ in widths[2:]] + [after for _, after in widths[2:]]
    old = _attributes(node, onnx).get("pads", [0] * len(added))
    others = [one for one in node.attribute if one.name not in ("pads", "auto_pad")]
    del node.attribute[:]
    node.attribute.extend(others)
    pads = [one + more for one, more in zip(old, added, strict=True)]
    node.attribute.append(onnx.helper.make_attribute("pads", pads))


def _drop(graph, changed):
    """Drops pads that gave one of these, their shapes, and constants that nothing takes."""
    nodes = [one for one in graph.node if one.op_type != "Pad" or one.output[0] not in changed]
    shapes = [one for one in graph.value_info if one.name not in changed]
    del graph.node[:], graph.value_info[:]
    graph.node.extend(nodes)
    graph.value_info.extend(shapes)
    used = {name for node in nodes for name in node.input}
    constants = [one for one in graph.initializer if one.name in used]
    del graph.initializer[:]
    graph.initializer.extend(constants)


def _attributes(node, onnx):
    return {one.name: onnx.helper.get_attribute_value(one) for one in node.attribute}
