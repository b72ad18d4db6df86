"""What LSTM and RNN have in common, tested with either."""

import pytest
import torch
from torch import Tensor

from caffepy.errors import LayerError
from caffepy.layers.layer import Layer, Shape
from tests.layers.conformance import make_layer, random_bottoms

T, N, D = 4, 3, 5
X: Shape = (T, N, 2)
CONT: Shape = (T, N)
STATES = {"LSTM": 2, "RNN": 1}
TYPES = pytest.mark.parametrize("kind", STATES)


def prototxt(kind: str, more: str = "") -> str:
    return f"""
        name: "r" type: "{kind}"
        recurrent_param {{
          num_output: {D}
          weight_filler {{ type: "uniform" min: -0.5 max: 0.5 }}
          bias_filler {{ type: "uniform" min: -0.5 max: 0.5 }}
          {more}
        }}
    """


def make(kind: str, *shapes: Shape, more: str = "") -> Layer:
    return make_layer(prototxt(kind, more), *(shapes or (X, CONT)))


def ones(shape: Shape = CONT) -> Tensor:
    return torch.ones(shape, dtype=torch.double)


def exposed(kind: str) -> tuple[Layer, tuple[Tensor, ...]]:
    """A layer with expose_hidden, and the states that it starts from."""
    shapes = [(1, N, D)] * STATES[kind]
    return make(kind, X, CONT, *shapes, more="expose_hidden: true"), random_bottoms(*shapes)


@TYPES
def test_the_last_state_goes_on_into_the_next_batch(kind: str) -> None:
    (x,) = random_bottoms((2 * T, N, 2))
    whole = make(kind, (2 * T, N, 2), (2 * T, N))(x, ones((2 * T, N)))
    layer = make(kind)

    parts = [layer(part, ones()) for part in torch.split(x, T)]

    torch.testing.assert_close(torch.cat(parts), whole)


@TYPES
def test_the_gradient_ends_where_a_batch_begins(kind: str) -> None:
    first, second = random_bottoms(X, X)
    layer = make(kind)
    layer(first, ones())

    layer(second, ones()).sum().backward()

    assert first.grad is None
    assert second.grad is not None


@TYPES
def test_a_batch_can_be_gone_back_over_after_the_next(kind: str) -> None:
    (x,) = random_bottoms(X)
    layer = make(kind)
    top = layer(x, ones())
    (once,) = torch.autograd.grad(top.sum(), x, retain_graph=True)

    layer(x, ones())

    assert torch.equal(torch.autograd.grad(top.sum(), x)[0], once)


@TYPES
def test_shapes_are_found_without_touching_the_state(kind: str) -> None:
    layer = make(kind)
    layer(*random_bottoms(X), ones())
    before = {name: buffer.clone() for name, buffer in layer.named_buffers()}

    assert layer.top_shapes((T, 9, 2), (T, 9)) == [(T, 9, D)]

    assert set(before) == set("hc"[: STATES[kind]])
    for name, buffer in layer.named_buffers():
        assert torch.equal(buffer, before[name])
        assert buffer.any()


@TYPES
def test_another_number_of_streams_starts_from_zeros(kind: str) -> None:
    (x,) = random_bottoms((T, 2, 2))
    used, fresh = make(kind), make(kind, (T, 2, 2), (T, 2))
    used(*random_bottoms(X), ones())

    torch.testing.assert_close(used(x, ones((T, 2))), fresh(x, ones((T, 2))))
    torch.testing.assert_close(used(x, ones((T, 2))), fresh(x, ones((T, 2))))


@TYPES
def test_another_number_of_steps_goes_on(kind: str) -> None:
    (x,) = random_bottoms((3 * T, N, 2))
    whole = make(kind, (3 * T, N, 2), (3 * T, N))(x, ones((3 * T, N)))
    layer = make(kind)

    parts = [layer(part, ones((len(part), N))) for part in torch.split(x, [T, 2 * T])]

    torch.testing.assert_close(torch.cat(parts), whole)


@TYPES
def test_an_exposed_state_comes_from_the_bottoms_and_goes_to_the_tops(kind: str) -> None:
    (x,) = random_bottoms((2 * T, N, 2))
    layer, state = exposed(kind)
    long, _ = exposed(kind)

    whole, *end = long(x, ones((2 * T, N)), *state)
    first, *between = layer(x[:T], ones(), *state)
    second, *last = layer(x[T:], ones(), *between)

    torch.testing.assert_close(torch.cat((first, second)), whole)
    torch.testing.assert_close(last, end)
    assert all(part.shape == (1, N, D) for part in last)
    assert not list(layer.named_buffers())
    assert torch.equal(layer(x[:T], ones(), *state)[0], first)


@TYPES
def test_an_exposed_state_takes_and_gives_no_gradient(kind: str) -> None:
    (x,) = random_bottoms(X)
    layer, state = exposed(kind)

    top, *end = layer(x, ones(), *state)
    top.sum().backward()

    assert not any(part.requires_grad for part in end)
    assert [part.grad for part in state] == [None] * STATES[kind]
    assert x.grad is not None


@TYPES
def test_debug_info_changes_nothing(kind: str) -> None:
    (x,) = random_bottoms(X)

    assert torch.equal(make(kind, more="debug_info: true")(x, ones()), make(kind)(x, ones()))


@TYPES
def test_without_fillers_the_blobs_are_zero(kind: str) -> None:
    layer = make_layer(f'type: "{kind}" recurrent_param {{ num_output: {D} }}', X, CONT)

    assert not any(blob.any() for blob in layer.parameters())


STATE: Shape = (1, N, D)


@pytest.mark.parametrize(
    ("shapes", "more", "text"),
    [
        pytest.param([(T, N), CONT], "", r"bottom 0 has shape \(4, 3\)", id="x without numbers"),
        pytest.param([(0, N, 2), (0, N)], "", "with 1 step or more", id="no steps"),
        pytest.param([X, (T, 9)], "", r"cont, has shape \(4, 9\), must be \(4, 3\)", id="cont"),
        pytest.param(
            [X, CONT, (9, 6)], "", r"x_static, has shape \(9, 6\), must be \(3,", id="static"
        ),
        pytest.param([X, CONT, (N,)], "", r"x_static, has shape \(3,\)", id="static of one axis"),
        pytest.param(
            [X, CONT, STATE, (1, N, 9)],
            "expose_hidden: true",
            r"bottom 3, c0, has shape \(1, 3, 9\), must be \(1, 3, 5\)",
            id="c0",
        ),
        pytest.param(
            [X, CONT, STATE],
            "expose_hidden: true",
            r"has 3 bottoms, must have 4 or 5: x, cont, \[x_static\] h0 c0",
            id="too few",
        ),
        pytest.param([X, CONT, STATE, STATE], "", "has 4 bottoms, must have 2 or 3", id="too many"),
    ],
)
def test_bottoms_that_do_not_fit_are_named(shapes: list[Shape], more: str, text: str) -> None:
    with pytest.raises(LayerError, match=f"'r' .*{text}"):
        make("LSTM", *shapes, more=more)


def test_tops_are_counted() -> None:
    with pytest.raises(LayerError, match=r"has 2 tops, must have 1: h$") as caught:
        make_layer(f'{prototxt("LSTM")} top: "h" top: "hT"', X, CONT)
    assert caught.value.field == "recurrent_param.expose_hidden"


@pytest.mark.parametrize("message", ["", "recurrent_param { num_output: 0 }"])
def test_num_output_must_be_given(message: str) -> None:
    with pytest.raises(LayerError, match="num_output is missing or 0") as caught:
        make_layer(f'type: "RNN" {message}', X, CONT)
    assert caught.value.field == "recurrent_param.num_output"


@pytest.mark.parametrize(
    ("shapes", "text"),
    [
        pytest.param([(T, N, 7), CONT, (N, 6)], "has 7 numbers .* are for 2", id="x"),
        pytest.param([X, CONT, (N, 7)], "has 7 numbers .* are for 6", id="static"),
        pytest.param([X, (T, 9), (N, 6)], "cont", id="cont"),
    ],
)
def test_bottoms_are_held_at_run_too(shapes: list[Shape], text: str) -> None:
    layer = make("RNN", X, CONT, (N, 6))

    with pytest.raises(LayerError, match=f"'r' .*{text}"):
        layer.top_shapes(*shapes)
