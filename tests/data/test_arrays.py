import numpy as np
import pytest
import tensorflow as tf

from keras_video.data.arrays import aligned_empty, as_array, as_tensor


@pytest.mark.parametrize("dtype", ["uint8", "int32", "float32"])
def test_memory_is_shared_both_ways(dtype):
    array = aligned_empty((5, 7, 3), dtype)
    array[...] = 3
    tensor = as_tensor(array)
    assert (tensor.shape, tensor.dtype.name) == ((5, 7, 3), dtype)
    array[4, 6, 2] = 9
    assert int(tensor[4, 6, 2]) == 9
    back = as_array(tensor)
    assert np.shares_memory(back, array) and not back.flags.writeable


def of_an_odd_address():
    return aligned_empty((65,))[1:]


def of_another_order():
    return aligned_empty((8, 8)).T


def not_writeable():
    array = aligned_empty((4,))
    array.flags.writeable = False
    return array


@pytest.mark.parametrize("make", [of_an_odd_address, of_another_order, not_writeable])
def test_other_arrays_are_copied(make):
    array = make()
    np.testing.assert_array_equal(as_tensor(array), array)
    assert not np.shares_memory(as_array(as_tensor(array)), array)


@pytest.mark.parametrize("value", [np.int32(3), np.array([True, False]), np.zeros((0, 3)), 2.5])
def test_anything_that_tensorflow_accepts_becomes_a_tensor(value):
    tensor = as_tensor(value)
    assert isinstance(tensor, tf.Tensor)
    np.testing.assert_array_equal(tensor, value)
    assert tensor.dtype == np.asarray(value).dtype
