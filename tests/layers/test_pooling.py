import itertools
import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from caffepy.errors import LayerError
from caffepy.layers.layer import Shape
from tests.layers.conformance import check_layer, make_layer, random_bottoms

Array = NDArray[np.float64]
Pair = tuple[int, int]
FLT_MAX = float(np.finfo(np.float32).max)
PROTOTXT = 'name: "pool1" type: "Pooling" top: "y" pooling_param { %s }'
WITH_MASK = 'type: "Pooling" top: "y" top: "mask" pooling_param { %s }'


def pooled_size(size: int, kernel: int, stride: int, pad: int, *, floor: bool, clip: bool) -> int:
    rounded = math.floor if floor else math.ceil
    count = rounded((size + 2 * pad - kernel) / stride) + 1
    return count - 1 if clip and (count - 1) * stride >= size + pad else count


def windows(x: Array, y: Shape, kernel: Pair, stride: Pair, pad: Pair) -> list[list[Pair]]:
    """[start, end) on both axes of each window, reaching into the padding but not beyond it."""
    sides = []
    for axis in range(2):
        starts = [i * stride[axis] - pad[axis] for i in range(y[2 + axis])]
        ends = [min(at + kernel[axis], x.shape[2 + axis] + pad[axis]) for at in starts]
        sides.append(list(zip(starts, ends, strict=True)))
    return sides


def pool_max(
    x: Array, shape: Shape, kernel: Pair, stride: Pair, pad: Pair
) -> tuple[Array, Array, Array]:
    """Caffe's loop: values, indices, and the gradient of the sum of the values."""
    y, mask, gradient = np.full(shape, -FLT_MAX), np.full(shape, -1.0), np.zeros(x.shape)
    height, width = x.shape[2:]
    rows, columns = windows(x, shape, kernel, stride, pad)
    for n, c, i, j in np.ndindex(*shape):
        for h, w in itertools.product(range(*rows[i]), range(*columns[j])):
            if 0 <= h < height and 0 <= w < width and x[n, c, h, w] > y[n, c, i, j]:
                y[n, c, i, j], mask[n, c, i, j] = x[n, c, h, w], h * width + w
        if mask[n, c, i, j] >= 0:
            gradient[n, c].flat[int(mask[n, c, i, j])] += 1
    return y, mask, gradient


def pool_average(
    x: Array, shape: Shape, kernel: Pair, stride: Pair, pad: Pair
) -> tuple[Array, Array]:
    """Caffe's loop: values, and the gradient of the sum of the values."""
    y, gradient = np.zeros(shape), np.zeros(x.shape)
    rows, columns = windows(x, shape, kernel, stride, pad)
    for n, c, i, j in np.ndindex(*shape):
        (top, bottom), (left, right) = rows[i], columns[j]
        size = (bottom - top) * (right - left)
        inside = (n, c, slice(max(top, 0), max(bottom, 0)), slice(max(left, 0), max(right, 0)))
        with np.errstate(invalid="ignore"):
            y[n, c, i, j] = x[inside].sum() / np.float64(size)
        if x[inside].size:
            gradient[inside] += 1 / size
    return y, gradient


def layouts() -> list[tuple[Shape, Pair, Pair, Pair, bool, Shape]]:
    """(bottom, kernel, stride, pad, floor, top) of every small layout that Caffe accepts."""
    found: list[tuple[Shape, Pair, Pair, Pair, bool, Shape]] = []
    for size, kernel, stride, pad, floor in itertools.product(
        [(5, 4), (2, 7), (6, 1)],
        [(1, 2), (2, 3), (4, 3)],
        [(1, 2), (3, 1), (4, 5), (2, 2)],
        [(0, 0), (1, 0), (0, 2), (3, 1)],
        [False, True],
    ):
        clip = pad != (0, 0)
        tops = tuple(
            pooled_size(size[i], kernel[i], stride[i], pad[i], floor=floor, clip=clip)
            for i in range(2)
        )
        if min(tops) > 0 and pad[0] < kernel[0] and pad[1] < kernel[1]:
            found.append(((2, 3, *size), kernel, stride, pad, floor, (2, 3, *tops)))
    return found


def options(kernel: Pair, stride: Pair, pad: Pair, floor: bool) -> str:
    return f"""
        kernel_h: {kernel[0]} kernel_w: {kernel[1]} stride_h: {stride[0]} stride_w: {stride[1]}
        pad_h: {pad[0]} pad_w: {pad[1]} round_mode: {"FLOOR" if floor else "CEIL"}
    """


@pytest.mark.parametrize("memory", [torch.contiguous_format, torch.channels_last], ids=str)
def test_max_is_caffes_loop_over_every_layout(memory: torch.memory_format) -> None:
    for bottom, kernel, stride, pad, floor, top in layouts():
        x = random_bottoms(bottom)[0].detach().contiguous(memory_format=memory).requires_grad_()
        layer = make_layer(WITH_MASK % options(kernel, stride, pad, floor), bottom)
        expected = pool_max(x.detach().numpy(), top, kernel, stride, pad)

        y, mask = layer(x)
        y.sum().backward()

        assert x.grad is not None
        for got, want in zip((y.detach(), mask, x.grad), expected, strict=True):
            np.testing.assert_array_equal(got, want, err_msg=f"{layer.param}{bottom}")


@pytest.mark.parametrize("memory", [torch.contiguous_format, torch.channels_last], ids=str)
def test_average_is_caffes_loop_over_every_layout(memory: torch.memory_format) -> None:
    for bottom, kernel, stride, pad, floor, top in layouts():
        x = random_bottoms(bottom)[0].detach().contiguous(memory_format=memory).requires_grad_()
        layer = make_layer(PROTOTXT % f"pool: AVE {options(kernel, stride, pad, floor)}", bottom)
        expected = pool_average(x.detach().numpy(), top, kernel, stride, pad)

        y = layer(x)
        y.sum().backward()

        assert x.grad is not None
        for got, want in zip((y.detach(), x.grad), expected, strict=True):
            np.testing.assert_allclose(got, want, atol=1e-12, err_msg=f"{layer.param}{bottom}")


def test_the_layouts_cover_every_rule() -> None:
    shapes = [
        (bottom[2], k[0], s[0], p, floor, top[2]) for bottom, k, s, p, floor, top in layouts()
    ]

    assert len(shapes) > 100
    assert any(k > h and p[0] == 0 for h, k, _, p, _, _ in shapes), "a kernel above the size"
    assert any((n - 1) * s >= h for h, _, s, _, _, n in shapes), "an empty window"
    assert any(p[0] > k / 2 for _, k, _, p, _, _ in shapes), "more padding than torch takes"


@pytest.mark.parametrize(
    ("kernel", "stride", "pad", "top"),
    [
        pytest.param((2, 2), (4, 4), (0, 0), (3, 3), id="no padding: an empty last window"),
        pytest.param((2, 2), (4, 4), (1, 1), (2, 2), id="padding: no window behind it"),
        pytest.param((2, 2), (4, 4), (1, 0), (2, 2), id="padding above and below clips both axes"),
    ],
)
def test_only_padding_drops_a_window_behind_the_end(
    kernel: Pair, stride: Pair, pad: Pair, top: Pair
) -> None:
    layer = make_layer(PROTOTXT % options(kernel, stride, pad, floor=False), (2, 3, 7, 7))

    assert layer.top_shapes((2, 3, 7, 7)) == [(2, 3, *top)]


@pytest.mark.parametrize(
    ("option", "top"),
    [("", 4), ("ceil_mode: true", 4), ("ceil_mode: false", 3), ("round_mode: FLOOR", 3)],
    ids=["neither", "true", "false", "round_mode"],
)
def test_ceil_mode_is_another_name_for_round_mode(option: str, top: int) -> None:
    layer = make_layer(PROTOTXT % f"kernel_size: 3 stride: 2 {option}", (2, 3, 8, 8))

    assert layer.top_shapes((2, 3, 8, 8)) == [(2, 3, top, top)]


def plane(height: int, width: int) -> torch.Tensor:
    return torch.arange(height * width, dtype=torch.double).reshape(1, 1, height, width)


def test_empty_window_of_max_holds_the_lowest_float_and_index_minus_one() -> None:
    y, mask = make_layer(WITH_MASK % "kernel_size: 2 stride: 4", (1, 1, 7, 7))(plane(7, 7))

    low = -FLT_MAX
    assert y[0, 0].tolist() == [[8, 12, low], [36, 40, low], [low, low, low]]
    assert mask[0, 0].tolist() == [[8, 12, -1], [36, 40, -1], [-1, -1, -1]]


def test_empty_window_of_average_divides_by_its_size() -> None:
    bottom = (1, 1, 7, 8)
    layer = make_layer(PROTOTXT % "pool: AVE kernel_size: 2 stride_h: 5 stride_w: 4", bottom)

    y = layer(plane(7, 8))

    # 7 rows: windows at 0 and 5; 8 columns: at 0, 4 and 8, where the last one is 0 wide.
    assert y[0, 0].isnan().tolist() == [[False, False, True], [False, False, True]]

    layer = make_layer(PROTOTXT % "pool: AVE kernel_size: 2 stride_h: 4 stride_w: 4", (1, 1, 7, 7))
    y = layer(plane(7, 7))

    # The last window starts at 8, behind the 7 elements: -1 on each side.
    assert y[0, 0, :2, 2].tolist() == [0, 0]
    assert y[0, 0, :2, 2].signbit().all()
    assert y[0, 0, 2, 2].tolist() == 0
    assert not y[0, 0, 2, 2].signbit()


def test_average_counts_padding_but_not_what_lies_beyond() -> None:
    layer = make_layer(PROTOTXT % "pool: AVE kernel_size: 3 stride: 2 pad: 1", (1, 1, 6, 6))

    y = layer(torch.ones(1, 1, 6, 6, dtype=torch.double))

    sides = torch.tensor([2 / 3, 1, 1, 1 / 2], dtype=torch.double)  # 2 of 3, 3 of 3, 3 of 3, 1 of 2
    torch.testing.assert_close(y[0, 0], torch.outer(sides, sides))


def test_ties_give_the_gradient_to_the_first() -> None:
    x = torch.ones(1, 1, 3, 4, dtype=torch.double, requires_grad=True)

    make_layer(PROTOTXT % "kernel_size: 2 stride: 2", (1, 1, 3, 4))(x).sum().backward()

    assert x.grad is not None
    assert x.grad[0, 0].tolist() == [[1, 0, 1, 0], [0, 0, 0, 0], [1, 0, 1, 0]]


@pytest.mark.parametrize("pad", [0, 1, 2], ids=lambda pad: f"pad {pad}")
@pytest.mark.parametrize("memory", [torch.contiguous_format, torch.channels_last], ids=str)
def test_nan_is_the_maximum_of_its_windows(pad: int, memory: torch.memory_format) -> None:
    x = torch.ones(2, 3, 6, 9, dtype=torch.double).contiguous(memory_format=memory)
    x[1, 2, 5, 8] = torch.nan

    y = make_layer(PROTOTXT % f"kernel_size: 3 stride: 3 pad: {pad}", (2, 3, 6, 9))(x)

    assert y.isnan().nonzero().tolist() == [[1, 2, y.shape[2] - 1, y.shape[3] - 1]]


@pytest.mark.parametrize(
    ("prototxt", "tops"),
    [
        pytest.param(PROTOTXT % "kernel_size: 2", [(2, 3, 3, 4)], id="MAX"),
        pytest.param(WITH_MASK % "kernel_size: 2", [(2, 3, 3, 4)] * 2, id="MAX with indices"),
        pytest.param(PROTOTXT % "kernel_size: 3 pad: 2 stride: 2", [(2, 3, 3, 4)], id="wide pad"),
        pytest.param(
            PROTOTXT % "pool: AVE kernel_size: 3 pad: 2 stride: 2", [(2, 3, 3, 4)], id="AVE"
        ),
        pytest.param(PROTOTXT % "global_pooling: true", [(2, 3, 1, 1)], id="global MAX"),
        pytest.param(
            PROTOTXT % "pool: AVE global_pooling: true stride: 1 engine: CAFFE",
            [(2, 3, 1, 1)],
            id="global AVE",
        ),
    ],
)
def test_conforms(prototxt: str, tops: list[Shape]) -> None:
    check_layer(make_layer(prototxt, (2, 3, 4, 5)), random_bottoms((2, 3, 4, 5)), tops=tops)


@pytest.mark.parametrize("training", [False, True], ids=["testing", "training"])
def test_stochastic_conforms(training: bool) -> None:
    layer = make_layer(
        PROTOTXT % "pool: STOCHASTIC kernel_size: 3 stride: 2", (2, 3, 4, 5), training=training
    )
    x = random_bottoms((2, 3, 4, 5))[0].detach().abs().requires_grad_()

    check_layer(layer, [x], tops=[(2, 3, 2, 2)])


def test_global_pooling_follows_the_size_of_the_plane() -> None:
    layer = make_layer(PROTOTXT % "pool: AVE global_pooling: true", (2, 3, 4, 5))
    (x,) = random_bottoms((2, 3, 6, 7))

    torch.testing.assert_close(layer(x), x.mean((2, 3), keepdim=True))


def test_stochastic_draws_in_proportion_to_the_values() -> None:
    layer = make_layer(PROTOTXT % "pool: STOCHASTIC kernel_size: 2", (1, 1, 2, 2), training=True)
    x = torch.tensor([[1.0, 0.0], [3.0, 4.0]], dtype=torch.double).expand(4000, 1, 2, 2)

    drawn = layer(x).flatten()

    shares = [(drawn == value).double().mean().item() for value in (0, 1, 3, 4)]
    assert shares == pytest.approx([0, 1 / 8, 3 / 8, 4 / 8], abs=0.03)


def test_stochastic_sends_the_gradient_to_the_element_drawn() -> None:
    layer = make_layer(PROTOTXT % "pool: STOCHASTIC kernel_size: 2", (1, 1, 2, 2), training=True)
    x = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]], dtype=torch.double, requires_grad=True)

    y = layer(x)
    y.backward()

    assert x.grad is not None
    assert torch.equal(x.grad, (x == y).double())


def test_stochastic_expects_the_mean_of_what_it_draws() -> None:
    layer = make_layer(PROTOTXT % "pool: STOCHASTIC kernel_size: 2 stride: 2", (1, 1, 3, 3))
    x = torch.tensor([[[[1.0, 0.0, 5.0], [3.0, 4.0, 0.0], [0.0, 0.0, 2.0]]]], dtype=torch.double)

    y = layer(x)

    # The window at the lower left has zeros only; those at the right and below reach over the edge.
    assert y[0, 0].tolist() == [[(1 + 9 + 16) / 8, 5], [0, 2]]


@pytest.mark.parametrize("training", [False, True], ids=["testing", "training"])
def test_stochastic_gives_zero_for_zeros_and_nan_for_nan(training: bool) -> None:
    prototxt = PROTOTXT % "pool: STOCHASTIC kernel_size: 2 stride: 3"
    layer = make_layer(prototxt, (1, 1, 2, 6), training=training)
    x = torch.zeros(1, 1, 2, 6, dtype=torch.double, requires_grad=True)
    with torch.no_grad():
        x[0, 0, 1, 4] = torch.nan

    y = layer(x)
    y[..., :1].sum().backward()

    assert y[0, 0, 0, 0].item() == 0
    assert y[0, 0, 0, 1].isnan()
    assert x.grad is not None
    assert x.grad[..., :3].isfinite().all()


@pytest.mark.parametrize("method", ["MAX", "AVE"])
@pytest.mark.parametrize("pad", [0, 2], ids=["torch's layout", "extended"])
def test_channels_last_stays(method: str, pad: int) -> None:
    layer = make_layer(PROTOTXT % f"pool: {method} kernel_size: 3 pad: {pad}", (2, 3, 4, 5))
    x = random_bottoms((2, 3, 4, 5))[0].to(memory_format=torch.channels_last)

    assert layer(x).is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_half_precision_keeps_indices_exact_and_empty_windows_finite(dtype: torch.dtype) -> None:
    x = torch.zeros(1, 1, 61, 62, dtype=dtype)
    x[0, 0, 60, 61] = 1

    _, index = make_layer(WITH_MASK % "global_pooling: true", (1, 1, 61, 62))(x)
    empty = make_layer(PROTOTXT % "kernel_size: 2 stride: 62", (1, 1, 61, 62))(x)[0, 0, 1, 0]

    assert index.item() == 60 * 62 + 61
    assert empty.isfinite()
    assert empty < -6e4


@pytest.mark.parametrize(
    ("options", "field", "text"),
    [
        pytest.param("", "kernel_size", r"the kernel is \(0, 0\)", id="no kernel"),
        pytest.param("kernel_size: 0", "kernel_size", r"the kernel is \(0, 0\)", id="kernel 0"),
        pytest.param("kernel_h: 2", "kernel_h", "kernel_h set", id="kernel_h alone"),
        pytest.param(
            "kernel_size: 2 kernel_h: 2 kernel_w: 2",
            "kernel_h",
            "kernel_size and kernel_h and kernel_w set",
            id="kernel twice",
        ),
        pytest.param("kernel_size: 2 stride_w: 2", "stride_w", "stride_w set", id="stride_w alone"),
        pytest.param("kernel_size: 2 stride: 0", "stride", r"the stride is \(0, 0\)", id="stride"),
        pytest.param(
            "kernel_size: 2 pad: 1 pad_h: 1", "pad_h", "pad and pad_h set", id="pad twice"
        ),
        pytest.param(
            "kernel_size: 2 pad: 2", "pad", r"the pad is \(2, 2\), must be below", id="pad"
        ),
        pytest.param(
            "kernel_size: 2 pad: 1 pool: STOCHASTIC", "pad", "only MAX and AVE", id="method of pad"
        ),
        pytest.param(
            "kernel_size: 2 ceil_mode: false round_mode: FLOOR",
            "ceil_mode",
            "ceil_mode and round_mode are both set",
            id="ceil_mode",
        ),
        pytest.param(
            "global_pooling: true kernel_size: 2", "global_pooling", "leave out", id="global"
        ),
        pytest.param(
            "global_pooling: true stride: 2", "global_pooling", "leave out", id="global stride"
        ),
    ],
)
def test_errors_name_the_layer_and_the_field(options: str, field: str, text: str) -> None:
    with pytest.raises(LayerError, match=f"'pool1' .*{text}") as caught:
        make_layer(PROTOTXT % options, (2, 3, 4, 5))

    assert caught.value.field == f"pooling_param.{field}"


def test_indices_are_for_max_only() -> None:
    with pytest.raises(LayerError, match=r"a second top is for MAX pooling.*this is AVE"):
        make_layer(WITH_MASK % "pool: AVE kernel_size: 2", (2, 3, 4, 5))


@pytest.mark.parametrize(
    ("bottom", "text"),
    [
        pytest.param((2, 60), r"Input must have 4 axes.*\(2, 60\)", id="2 axes"),
        pytest.param((2, 3, 4, 1), r"\(3, 3\) does not fit .*\(4, 1\)", id="no window"),
    ],
)
def test_impossible_bottoms(bottom: Shape, text: str) -> None:
    layer = make_layer(PROTOTXT % "kernel_size: 3 stride: 2", (2, 3, 4, 5))

    with pytest.raises(LayerError, match=f"'pool1' .*{text}"):
        layer.top_shapes(bottom)
