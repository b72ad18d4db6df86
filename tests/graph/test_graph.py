import pytest

from tests.graph.nets import graph_of, layer, nodes_of

INPUT = layer("in", "Input", "", "b a", "input_param { shape { dim: 2 dim: 3 } }")


@pytest.mark.parametrize(
    ("text", "weights"),
    [
        pytest.param(layer("x", "SoftmaxWithLoss", "a b", "l p"), (1, 0), id="a loss"),
        pytest.param(layer("x", "Input", "", "a b"), (0, 0), id="no loss"),
        pytest.param(
            layer("x", "SoftmaxWithLoss", "a b", "l", "loss_weight: 0.5"), (0.5,), id="stated"
        ),
        pytest.param(
            layer("x", "Input", "", "a b", "loss_weight: 0 loss_weight: 2"), (0, 2), id="per top"
        ),
    ],
)
def test_loss_weights_of_a_layer(text: str, weights: tuple[float, ...]) -> None:
    (node,) = nodes_of(text)
    assert node.loss_weights == weights


def test_inputs_are_the_tops_of_input_layers_in_file_order() -> None:
    more = layer("more", "Input", "", "a0", "input_param { shape { dim: 5 } }")
    assert graph_of(INPUT + more).inputs == ("b", "a", "a0")


def test_outputs_are_what_no_layer_reads_sorted() -> None:
    text = INPUT + layer("r", "ReLU", "a", "z") + layer("r2", "ReLU", "z", "z")
    text += layer("s", "Softmax", "b", "Top")
    assert graph_of(text).outputs == ("Top", "z")


def test_loss_weights_of_a_graph_are_by_blob_without_zeros() -> None:
    text = INPUT + layer("r", "ReLU", "a", "r", "loss_weight: 0.25")
    text += layer("l", "SoftmaxWithLoss", "r b", "l p")
    assert graph_of(text).loss_weights == {"r_r_0_split_0": 0.25, "l": 1.0}


def test_problems_of_a_node_name_the_layer_and_the_place_of_the_field() -> None:
    (node,) = nodes_of('layer { name: "r"\n  type: "ReLU" }')
    error, warning = node.error("bad", "type"), node.warning("odd", "bottom")
    assert (error.severity, str(error)) == ("error", "net.prototxt:2:3: layer 'r': bad")
    assert (warning.severity, str(warning)) == ("warning", "net.prototxt:1:1: layer 'r': odd")
