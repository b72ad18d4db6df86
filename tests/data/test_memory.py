import gc

import torch

from caffepy.data.memory import Memory


def test_memory_is_used_again_when_nobody_sees_it() -> None:
    memory = Memory()
    one = memory.take((2, 3))
    where = one.data_ptr()

    del one
    gc.collect()

    assert memory.take((3, 2)).data_ptr() == where


def test_memory_that_is_seen_is_not_used() -> None:
    memory = Memory()
    one = memory.take((2, 3)).fill_(1)
    row = one[1]
    del one
    gc.collect()

    memory.take((2, 3)).fill_(2)

    assert row.tolist() == [1, 1, 1]


def test_another_size_gets_memory_of_its_own() -> None:
    memory = Memory()
    one = memory.take((2, 3))
    del one
    gc.collect()

    assert memory.take((50, 3)).fill_(4).sum() == 600


def test_tensors_are_like_any_other() -> None:
    tensor = Memory().take((2, 3, 4, 5))

    assert (tensor.shape, tensor.dtype) == ((2, 3, 4, 5), torch.float32)
    assert tensor.is_contiguous()
