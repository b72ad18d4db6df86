"""From images to a net's input, step by step, and back."""

from collections.abc import Callable

import numpy as np
import pytest

from caffepy.errors import DataError
from caffepy.pycaffe.images import Floats, resize_image
from caffepy.pycaffe.transformer import Transformer

SHAPE = (10, 3, 4, 5)


def image(*shape: int) -> Floats:
    return np.random.default_rng(0).random(shape or (4, 5, 3)).astype(np.float32)


def caffes(mean: Floats) -> Transformer:
    """What Caffe's models take, scaled in the end."""
    transformer = Transformer({"data": SHAPE})
    transformer.set_transpose("data", (2, 0, 1))
    transformer.set_channel_swap("data", (2, 1, 0))
    transformer.set_raw_scale("data", 255)
    transformer.set_mean("data", mean)
    transformer.set_input_scale("data", 0.25)
    return transformer


@pytest.mark.parametrize(
    "mean",
    [
        pytest.param(np.array([104, 117, 123.0]), id="of channels"),
        pytest.param(np.random.default_rng(1).random((3, 4, 5)) * 200, id="of pixels"),
    ],
)
def test_the_steps_and_their_order(mean: Floats) -> None:
    given = image()

    made = caffes(mean).preprocess("data", given)

    expected = np.empty((3, 4, 5))
    for channel, row, column in np.ndindex(3, 4, 5):
        less = mean[channel] if mean.ndim == 1 else mean[channel, row, column]
        expected[channel, row, column] = (given[row, column, 2 - channel] * 255 - less) * 0.25
    assert made.dtype == np.float32
    np.testing.assert_allclose(made, expected, rtol=1e-4, atol=1e-4)


def test_without_settings_nothing_is_done_and_the_array_is_anothers() -> None:
    given = image(4, 5, 3)

    made = Transformer({"data": SHAPE}).preprocess("data", given)

    np.testing.assert_array_equal(made, given)
    made += 1
    assert made.max() > given.max()


def test_the_array_given_is_not_changed() -> None:
    given = image()
    transformer = Transformer({"data": SHAPE})
    transformer.set_raw_scale("data", 255)

    transformer.preprocess("data", given)

    assert given.max() <= 1


def test_images_of_another_size_are_resized() -> None:
    given = image(7, 9, 3)

    made = Transformer({"data": SHAPE}).preprocess("data", given)

    np.testing.assert_array_equal(made, resize_image(given, (4, 5)))


@pytest.mark.parametrize("shape", [(3, 4, 5), (1, 3, 4, 5)], ids=["one", "a batch of one"])
def test_deprocess_undoes_it(shape: tuple[int, ...]) -> None:
    given = image()
    transformer = caffes(np.array([104, 117, 123.0], np.float32))

    made = transformer.preprocess("data", given).reshape(shape)

    np.testing.assert_allclose(transformer.deprocess("data", made), given, atol=1e-5)


def test_deprocess_of_a_grey_image() -> None:
    transformer = Transformer({"data": [2, 1, 4, 5]})
    given = image(4, 5, 1)
    assert transformer.deprocess("data", image(1, 1, 4, 5)).shape == (4, 5)

    transformer.set_transpose("data", (2, 0, 1))
    made = transformer.preprocess("data", given)

    np.testing.assert_array_equal(transformer.deprocess("data", made[None]), given)


@pytest.mark.parametrize(
    ("setting", "kind", "message"),
    [
        pytest.param(
            lambda t: t.set_raw_scale("dat", 255),
            DataError,
            "'dat' is not one of the net inputs: .*; did you mean 'data'",
            id="input",
        ),
        pytest.param(
            lambda t: t.preprocess("label", image()), DataError, "not one of the net", id="none"
        ),
        pytest.param(
            lambda t: t.set_transpose("data", (1, 0)),
            DataError,
            "it has 2, and 'data' has 3",
            id="transpose",
        ),
        pytest.param(
            lambda t: t.set_channel_swap("data", (1, 0)),
            DataError,
            "same number of dimensions as the input channels: it has 2, and 'data' has 3",
            id="channels",
        ),
        pytest.param(
            lambda t: t.set_mean("data", np.zeros(2)),
            ValueError,
            "Mean channels incompatible with input: 2, and 'data' has 3",
            id="mean of channels",
        ),
        pytest.param(
            lambda t: t.set_mean("data", np.zeros((3, 6, 7))),
            ValueError,
            r"Mean shape incompatible with input: \(3, 6, 7\), and 'data' takes \(3, 4, 5\); mean",
            id="mean of pixels",
        ),
        pytest.param(
            lambda t: t.set_mean("data", np.zeros((4, 5))),
            ValueError,
            "Mean shape incompatible",
            id="mean of one channel",
        ),
        pytest.param(
            lambda t: t.set_mean("data", np.zeros((1, 3, 4, 5))),
            ValueError,
            "Mean shape invalid",
            id="mean of four axes",
        ),
    ],
)
def test_mistakes(
    setting: Callable[[Transformer], object], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        setting(Transformer({"data": SHAPE}))
