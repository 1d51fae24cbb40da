"""Finds the tensors of a network in the root object of a checkpoint."""

from __future__ import annotations

from absl import logging

from keras_video.weights.pickle_vm import CheckpointError, Placeholder, describe
from keras_video.weights.pickled_arrays import PickledArray
from keras_video.weights.pickled_tensors import Tensor

# Keys under which files nest their tensors; if a file has several, the first of these is used.
# Files of V-JEPA 2 hold the trained encoder and its moving average, `target_encoder`. The
# repository loads the average by default, and in the configurations of all its evaluations.
NESTS = (
    "state_dict",
    "model_state",
    "model_state_dict",
    "model",
    "module",
    "network",
    "net",
    "params",
    "weights",
    "teacher",
    "generator",
    "ema",
    "ema_state_dict",
    "model_ema",
    "target_encoder",
    "encoder",
    "classifiers",
    "blobs",
)
DEEPEST_NEST = 5
DEEPEST_MODULE = 64
MAX_MODULES = 100_000

State = dict[str, "Tensor | PickledArray"]


def find_state(root: object) -> State:
    """The tensors of a network by name, separated from the rest of a checkpoint.

    They are read from the entry of `NESTS` that holds tensors, at any depth, otherwise from the
    object itself. For a pickled `nn.Module` they are its parameters and buffers.

    Raises:
        CheckpointError: if there are no tensors, or an entry of the state is not a tensor.
    """
    keys: list[str] = []
    while (key := _nest(root)) is not None and len(keys) < DEEPEST_NEST:
        root = root[key]
        keys.append(repr(key))
        if isinstance(root, list):
            keys.append(f"the first of {len(root)}")
            root = root[0]
    if keys:
        logging.info("Tensors are taken from the entry %s of the checkpoint.", ", ".join(keys))
    if isinstance(root, Placeholder):
        return module_state(root)
    if not isinstance(root, dict):
        raise CheckpointError(f"expected a dictionary of tensors, received {describe(root)}")
    return _tensors(root)


def _nest(value: object) -> str | None:
    """The key under which a dictionary nests tensors."""
    if not isinstance(value, dict):
        return None
    return next((key for key in NESTS if key in value and _holds_tensors(value[key])), None)


def _holds_tensors(value: object, depth: int = 0) -> bool:
    if isinstance(value, list) and value and depth == 0:
        return _holds_tensors(value[0], depth + 1)
    if isinstance(value, Placeholder):
        return _is_module(value)
    if not isinstance(value, dict) or depth > DEEPEST_NEST:
        return False
    if any(isinstance(entry, Tensor | PickledArray) for entry in value.values()):
        return True
    return any(_holds_tensors(value[key], depth + 1) for key in NESTS if key in value)


def _tensors(state: dict) -> State:
    tensors = {
        key: value for key, value in state.items() if isinstance(value, Tensor | PickledArray)
    }
    for key, value in state.items():
        if isinstance(value, Placeholder):
            raise CheckpointError(_refusal(value, key))
    if not tensors:
        keys = ", ".join(describe(key) for key in list(state)[:10])
        raise CheckpointError(f"found no tensors, only these keys: {keys or 'none'}")
    for key in tensors:
        if not isinstance(key, str):
            raise CheckpointError(f"expected names of tensors, received {describe(key)}")
    return tensors


def _refusal(value: Placeholder, key: object = None) -> str:
    where = "" if key is None else f" at {describe(key)}"
    return (
        f"refused {value.name}{where}: the state of a network may hold tensors, numbers, strings "
        "and containers only"
    )


def _is_module(value: Placeholder) -> bool:
    return value.state is not None and {"_parameters", "_modules"} <= value.state.keys()


def module_state(root: Placeholder) -> State:
    """The parameters and buffers of a pickled `nn.Module`, named as in `state_dict()`.

    Raises:
        CheckpointError: if it is not a module, holds anything but tensors, or contains itself.
    """
    if not _is_module(root):
        raise CheckpointError(_refusal(root))
    state: State = {}
    pending = [("", root, 0)]
    visited = 0
    while pending:
        prefix, module, depth = pending.pop()
        visited += 1
        if depth > DEEPEST_MODULE or visited > MAX_MODULES:
            raise CheckpointError(f"the modules of {root.name} are nested without end")
        for name, value in _own_tensors(module).items():
            state[prefix + name] = value
        children = _dictionary(module, "_modules").items()
        for name, child in reversed([(name, child) for name, child in children if child]):
            if not (isinstance(child, Placeholder) and _is_module(child)):
                raise CheckpointError(f"expected a module {prefix}{name}, found {describe(child)}")
            pending.append((f"{prefix}{name}.", child, depth + 1))
    if not state:
        raise CheckpointError(f"the module {root.name} has no tensors")
    return state


def _own_tensors(module: Placeholder) -> State:
    temporary = module.state.get("_non_persistent_buffers_set") or ()
    temporary = temporary if isinstance(temporary, set) else ()
    owned = {**_dictionary(module, "_parameters"), **_dictionary(module, "_buffers")}
    tensors = {}
    for name, value in owned.items():
        if value is None or name in temporary:
            continue
        if not isinstance(value, Tensor | PickledArray) or not isinstance(name, str):
            if isinstance(value, Placeholder):
                raise CheckpointError(_refusal(value, name))
            raise CheckpointError(f"expected a tensor at {describe(name)}: {describe(value)}")
        tensors[name] = value
    return tensors


def _dictionary(module: Placeholder, name: str) -> dict:
    value = module.state.get(name)
    if value is None and name == "_buffers":
        return {}
    if not isinstance(value, dict):
        raise CheckpointError(f"expected a dictionary {name} of {module.name}: {describe(value)}")
    return value
