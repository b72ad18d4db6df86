import numpy as np
import pytest
import torch

from caffepy.blob import Array, Blob, ParameterBlob

CPU = torch.device("cpu")


def test_a_view_stays_and_shows_what_is_assigned_later() -> None:
    array = Array((2, 3), CPU)
    view = array.view()

    array.assign(torch.ones(2, 3))

    assert view.tolist() == [[1, 1, 1], [1, 1, 1]]
    assert np.shares_memory(view, array.view())


def test_what_is_written_into_a_view_is_what_torch_reads() -> None:
    array = Array((2, 3), CPU)

    array.view()[1, 2] = 5

    assert array.tensor()[1, 2] == 5


def test_a_tensor_that_nobody_looks_at_is_not_copied() -> None:
    array = Array((2, 3), CPU)
    value = torch.rand(2, 3)

    array.assign(value)

    assert array.tensor() is value


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last], ids=str)
def test_a_view_is_memory_of_its_own_in_caffes_order(layout: torch.memory_format) -> None:
    array = Array((2, 3, 4, 5), CPU)
    value = torch.rand(2, 3, 4, 5).to(memory_format=layout)
    array.assign(value)

    view = array.view()

    assert view.flags.c_contiguous
    assert not np.shares_memory(view, value.numpy())
    np.testing.assert_array_equal(view, value.numpy())


def test_what_is_done_to_one_view_does_not_show_in_the_next() -> None:
    array = Array((2, 3), CPU)
    array.view().shape = (6,)

    assert array.view().shape == (2, 3)


def test_memory_is_kept_while_a_shape_fits_into_it() -> None:
    array = Array((2, 6), CPU)
    view = array.view()

    array.resize((3, 4))
    array.view()[2, 3] = 7
    assert view[1, 5] == 7

    array.resize((5, 4))
    assert not np.shares_memory(view, array.view())


def test_the_diff_has_the_shape_of_the_data_and_what_it_is_filled_with() -> None:
    blob = Blob((2, 3), CPU, fill=0.5)
    assert blob.diff.tolist() == [[0.5] * 3] * 2

    blob.values.assign(torch.zeros(4, 3))

    assert blob.diff.shape == (4, 3)


def test_a_reshaped_blob_has_new_data_and_diff() -> None:
    blob = Blob((2, 3), CPU)

    blob.reshape(1, 4, 5)

    assert (blob.shape, blob.data.shape, blob.diff.shape) == ((1, 4, 5),) * 3


def test_a_parameters_blob_is_its_memory() -> None:
    parameter = torch.nn.Parameter(torch.zeros(2, 3))
    blob = ParameterBlob(parameter, (2, 3))

    blob.data[0, 1] = 4
    blob.diff[1, 2] = 5

    assert parameter[0, 1] == 4
    assert parameter.grad is not None
    assert parameter.grad[1, 2] == 5


def test_a_parameters_blob_can_be_seen_in_another_shape() -> None:
    blob = ParameterBlob(torch.nn.Parameter(torch.arange(6.0)), (6,))

    blob.reshape(2, 3)

    assert blob.data.tolist() == [[0, 1, 2], [3, 4, 5]]
    with pytest.raises(ValueError, match=r"6 numbers, cannot be seen as \(4, 2\)"):
        blob.reshape(4, 2)


@pytest.mark.parametrize(
    ("shape", "axes", "count"),
    [
        pytest.param((2, 3, 4, 5), [2, 3, 4, 5], 120, id="four axes"),
        pytest.param((2, 3), [2, 3, 1, 1], 6, id="two"),
        pytest.param((), [1, 1, 1, 1], 1, id="none"),
    ],
)
def test_the_axes_have_caffes_older_names(
    shape: tuple[int, ...], axes: list[int], count: int
) -> None:
    for blob in (Blob(shape, CPU), ParameterBlob(torch.nn.Parameter(torch.zeros(shape)), shape)):
        assert [blob.num, blob.channels, blob.height, blob.width] == axes
        assert blob.count == count


def test_a_blob_of_five_axes_has_no_older_names() -> None:
    blob = Blob((2, 3, 4, 5, 6), CPU)

    assert blob.count == 720
    with pytest.raises(ValueError, match=r"> 4 axes: the shape is \(2, 3, 4, 5, 6\).*shape\[1\]"):
        assert blob.channels


def test_a_shape_may_be_given_in_numpys_numbers() -> None:
    blob = Blob((1,), CPU)

    blob.reshape(*np.array([2, 3]))

    assert repr(blob.shape) == "(2, 3)"
    assert blob.data.shape == (2, 3)
