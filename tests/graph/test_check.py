import pytest

from caffepy.errors import NetError
from caffepy.graph.kinds import KINDS
from tests.graph.nets import graph_of, layer, place

DATA = layer("data", "Input", "", "data label", "input_param { shape { dim: 2 dim: 3 } }")


def errors(text: str) -> list[str]:
    """The lines of the error of a net that is DATA and these layers, from line 2 on."""
    with pytest.raises(NetError) as caught:
        graph_of(DATA + text)
    return str(caught.value).splitlines()


def test_an_unknown_type_has_near_names_and_the_known_ones() -> None:
    text = layer("p", "Poling", "data", "p")
    (line,) = errors(text)
    where = place(DATA + text, 'type: "Poling"')
    assert line == (
        f"{where}: layer 'p': Unknown layer type: Poling; "
        f"did you mean 'Pooling' or 'ROIPooling' or 'PSROIPooling'? (known types: {', '.join(sorted(KINDS))})"
    )


def test_a_layer_without_type() -> None:
    (line,) = errors('layer { name: "x" bottom: "data" top: "x" }')
    assert line.startswith("net.prototxt:2:1: layer 'x': Unknown layer type:  (known types: A")


@pytest.mark.parametrize(
    ("text", "blob", "message"),
    [
        pytest.param(
            layer("ip", "InnerProduct", "dta", "ip"),
            "dta",
            "layer 'ip': Unknown bottom blob 'dta' (layer 'ip', bottom index 0)"
            "; did you mean 'data'?",
            id="near name",
        ),
        pytest.param(
            layer("l", "SoftmaxWithLoss", "data xyz", "l"),
            "xyz",
            "layer 'l': Unknown bottom blob 'xyz' (layer 'l', bottom index 1)",
            id="nothing near",
        ),
        pytest.param(
            layer("a", "ReLU", "b", "a") + layer("b", "ReLU", "data", "b"),
            "b",
            "layer 'a': Unknown bottom blob 'b' (layer 'a', bottom index 0)"
            "; layer 'b' makes it only further down, at net.prototxt:3:1",
            id="made below",
        ),
        pytest.param(
            layer("a", "ReLU", "b", "a")
            + layer("b", "ReLU", "data", "b", "include { phase: TRAIN }"),
            "b",
            "layer 'a': Unknown bottom blob 'b' (layer 'a', bottom index 0)"
            "; layer 'b' at net.prototxt:3:1 would make it, but is left out of this net by its "
            "include and exclude rules",
            id="left out",
        ),
    ],
)
def test_an_unknown_bottom(text: str, blob: str, message: str) -> None:
    where = place(DATA + text, f'bottom: "{blob}"')
    assert errors(text) == [f"{where}: {message}"]


ELSEWHERE = ", and its value from there has another use: it cannot be changed in place"


@pytest.mark.parametrize(
    ("text", "top", "maker", "more"),
    [
        pytest.param(
            layer("r", "ReLU", "data", "label"), ("r", "label"), ("data", 1), "", id="another layer"
        ),
        pytest.param(layer("in", "Input", "", "x x"), ("in", "x"), ("in", 2), "", id="same layer"),
        pytest.param(
            layer("c", "Convolution", "data label", "x data"),
            ("c", "data"),
            ("data", 1),
            "",
            id="in the place of another bottom",
        ),
        pytest.param(
            layer("s", "Softmax", "data", "s") + layer("r", "ReLU", "data", "data"),
            ("r", "data"),
            ("data", 1),
            ELSEWHERE,
            id="in place, read elsewhere",
        ),
        pytest.param(
            layer("s", "Softmax", "data", "s", "loss_weight: 1") + layer("r", "ReLU", "s", "s"),
            ("r", "s"),
            ("s", 2),
            ELSEWHERE,
            id="in place, with a loss weight",
        ),
    ],
)
def test_a_top_that_another_layer_makes(
    text: str, top: tuple[str, str], maker: tuple[str, int], more: str
) -> None:
    (line,) = errors(text)
    name, blob = top
    last = (DATA + text).rindex(f'top: "{blob}"') - (DATA + text).rindex("layer {") + 1
    made = f"Layer '{maker[0]}' at net.prototxt:{maker[1]}:1 makes it too{more}"
    assert line.endswith(
        f":{last}: layer '{name}': Top blob '{blob}' produced by multiple sources. {made}"
    )


def test_a_type_that_cannot_work_in_place() -> None:
    text = layer("a", "ReLU", "data", "data") + layer("b", "AbsVal", "data", "data")
    (line,) = errors(text)
    last = text.splitlines()[1].index("top:") + 1
    assert line == (
        f"net.prototxt:3:{last}: layer 'b': AbsVal Layer does not allow in-place computation: "
        "'data' is bottom and top"
    )


def test_in_place_layers_may_follow_each_other() -> None:
    text = layer("a", "ReLU", "data", "data") + layer("b", "Dropout", "data", "data")
    assert [n.param.name for n in graph_of(DATA + text).nodes] == ["data", "a", "b"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (layer("x", "Accuracy", "data", "x"), "has 1 bottoms, Accuracy takes 2"),
        (layer("x", "ReLU", "data label", "x"), "has 2 bottoms, ReLU takes 1"),
        (layer("x", "SmoothL1Loss", "data", "x"), "has 1 bottoms, SmoothL1Loss takes 2 to 4"),
        (layer("x", "Silence"), "has 0 bottoms, Silence takes 1 or more"),
        (layer("x", "LSTM", "data", "x"), "has 1 bottoms, LSTM takes 2 to 5"),
        (layer("x", "ReLU", "data"), "has 0 tops, ReLU takes 1"),
        (layer("x", "BN", "data"), "has 0 tops, BN takes 1 to 3"),
        (layer("x", "Accuracy", "data label", "x y z"), "has 3 tops, Accuracy takes 1 or 2"),
        (
            layer("x", "Convolution", "data label", "x"),
            "has 1 tops for 2 bottoms, Convolution takes as many",
        ),
        (
            layer("x", "ReLU", "data", "x", "loss_weight: 1 loss_weight: 2"),
            "has 2 loss_weights for 1 tops: give one a top, or none",
        ),
        (
            layer("x", "SoftmaxWithLoss", "data label", "x", "propagate_down: true"),
            "has 1 propagate_downs for 2 bottoms: give one a bottom, or none",
        ),
        (
            layer(
                "x",
                "ReLU",
                "data",
                "x",
                "include { phase: TEST } exclude { min_level: 1 }",
            ),
            "has include and exclude rules; a layer may have only one of the two kinds",
        ),
        (
            layer("x", "ReLU", "data", "x", "include { phase: TRAIN } exclude { stage: 'a' }"),
            "has include and exclude rules; a layer may have only one of the two kinds",
        ),
    ],
)
def test_counts(text: str, message: str) -> None:
    (line,) = errors(text)
    assert line.endswith(f": layer 'x': {message}")


def test_propagate_down_stays_in_the_message() -> None:
    flags = "propagate_down: true propagate_down: false"
    graph = graph_of(DATA + layer("x", "SoftmaxWithLoss", "data label", "x", flags))
    assert list(graph.nodes[1].param.propagate_down) == [True, False]


def test_all_errors_are_told_at_once_in_file_order() -> None:
    lines = errors(
        layer("a", "Relu", "data", "a")
        + layer("b", "ReLU", "a", "label")
        + layer("c", "ReLU", "zz")
    )
    assert [(line.split(":")[1], " ".join(line.split(": ")[1:])[:25]) for line in lines] == [
        ("2", "layer 'a' Unknown layer t"),
        ("3", "layer 'b' Top blob 'label"),
        ("4", "layer 'c' has 0 tops, ReL"),
        ("4", "layer 'c' Unknown bottom "),
    ]


def test_layers_of_one_name_are_a_warning() -> None:
    graph = graph_of(DATA + layer("r", "ReLU", "data", "a") + layer("r", "ReLU", "label", "b"))
    assert [(p.severity, str(p)) for p in graph.problems] == [
        (
            "warning",
            "net.prototxt:3:9: layer 'r': the layer at net.prototxt:2:1 has this name too; "
            "weights are found by name",
        )
    ]
