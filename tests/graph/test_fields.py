import pytest

from caffepy.errors import NetError
from caffepy.graph.fields import set_fields
from caffepy.proto import TEST, TRAIN, NetParameter
from tests.graph.nets import graph_of, layer, place

DATA = layer("data", "Input", "", "data", "input_param { shape { dim: 2 dim: 3 } }")


def warnings(text: str) -> list[str]:
    """The warnings about a net to train that is DATA and these layers, from line 2 on."""
    problems = graph_of(DATA + text, TRAIN).problems
    assert {problem.severity for problem in problems} <= {"warning"}
    return [str(problem) for problem in problems]


def test_set_fields_leaves_out_empty_lists() -> None:
    assert set_fields(NetParameter(name="", input_dim=[])) == ["name"]
    assert set_fields(NetParameter(input_dim=[0])) == ["input_dim"]


@pytest.mark.parametrize(
    ("kind", "message", "field"),
    [
        (kind, message, field)
        for kind, message in [
            ("Data", "data_param"),
            ("ImageData", "image_data_param"),
            ("WindowData", "window_data_param"),
        ]
        for field in ("scale: 0.5", "mean_file: 'm'", "crop_size: 8", "mirror: true")
        if (kind, field) != ("WindowData", "scale: 0.5")
    ],
)
def test_moved_fields_of_data_messages_are_errors(kind: str, message: str, field: str) -> None:
    name = field.partition(":")[0]
    text = layer("d", kind, "", "x y", f"{message} {{ batch_size: 2 {field} }}")
    with pytest.raises(NetError) as caught:
        graph_of(text)
    assert str(caught.value) == (
        f"{place(text, field)}: layer 'd': {message}.{name} does nothing in this format; "
        f"use transform_param.{name}"
    )


def test_window_data_reads_its_own_scale() -> None:
    assert warnings(layer("d", "WindowData", "", "x y", "window_data_param { scale: 0.5 }")) == []


@pytest.mark.parametrize(
    ("kind", "message", "field"),
    [
        ("ImageData", "data_param", "batch_size: 4"),
        ("ImageData", "data_param", "source: 'list.txt'"),
        ("ImageData", "transform_param", "force_gray: true"),
        ("WindowData", "data_param", "source: 'windows.txt'"),
        ("WindowData", "transform_param", "scale: 0.5"),
        ("MemoryData", "transform_param", "force_color: true"),
    ],
)
def test_a_field_that_the_type_does_not_read_is_a_warning(
    kind: str, message: str, field: str
) -> None:
    text = layer("d", kind, "", "x y", f"{message} {{ {field} }}")
    (line,) = warnings(text)
    name = f"{message}.{field.partition(':')[0]}"
    assert line == f"{place(DATA + text, field)}: layer 'd': a {kind} layer does not read {name}"


@pytest.mark.parametrize("kind", ["ImageData", "WindowData"])
def test_prefetch_is_read_by_all_that_prefetch(kind: str) -> None:
    assert warnings(layer("d", kind, "", "x y", "data_param { prefetch: 2 }")) == []


def test_a_message_that_the_type_does_not_read_is_a_warning() -> None:
    text = layer("r", "ReLU", "data", "r", "pooling_param { kernel_size: 2 }")
    (line,) = warnings(text)
    where = place(DATA + text, "pooling_param")
    assert line == f"{where}: layer 'r': a ReLU layer does not read pooling_param"


def test_messages_that_the_type_reads_are_not() -> None:
    loss = "loss_param { ignore_label: 3 } softmax_param { axis: 1 }"
    more = "transform_param { scale: 2 } data_param { source: 'a' batch_size: 2 }"
    text = layer("d", "Data", "", "x", more) + layer("l", "SoftmaxWithLoss", "data x", "l", loss)
    assert warnings(text) == []


FILLER = "inner_product_param { num_output: 2 weight_filler { type: 'xavier' } }"


@pytest.mark.parametrize(
    ("more", "warned"),
    [
        pytest.param("inner_product_param { num_output: 2 }", True, id="none"),
        pytest.param("", True, id="no message"),
        pytest.param(FILLER, False, id="filler"),
        pytest.param("blobs { data: 1 }", False, id="blobs"),
        pytest.param("param { name: 'w' }", False, id="shared"),
        pytest.param("param { lr_mult: 1 } param { name: 'w' }", True, id="only its bias shared"),
        pytest.param("param { name: 'v' }", True, id="shared with none above"),
        pytest.param("phase: TEST", False, id="not in training"),
    ],
)
def test_weights_that_begin_as_0_are_a_warning(more: str, warned: bool) -> None:
    text = layer("a", "InnerProduct", "data", "a", f"param {{ name: 'w' }} {FILLER}")
    lines = warnings(text + layer("b", "InnerProduct", "a", "b", more))
    assert [line.partition(": ")[2] for line in lines] == warned * [
        "layer 'b': inner_product_param.weight_filler is not set: the weights begin as constant 0"
    ]


@pytest.mark.parametrize("kind", ["Convolution", "ConvolutionDepthwise", "Deconvolution"])
def test_filters_want_a_filler_too(kind: str) -> None:
    text = layer("c", kind, "data", "c", "convolution_param { num_output: 2 }")
    assert len(warnings(text)) == 1


@pytest.mark.parametrize("kind", ["Convolution", "InnerProduct", "LSTM", "RNN"])
def test_layers_of_these_types_need_a_filler(kind: str) -> None:
    text = layer("c", "Input", "", "cont") + layer(
        "a", kind, "data cont" if kind[-1] in "MN" else "data", "a"
    )
    assert len([line for line in warnings(text) if "weight_filler is not set" in line]) == 1


def test_weights_need_no_filler_in_a_test_net() -> None:
    text = DATA + layer("c", "Convolution", "data", "c", "convolution_param { num_output: 2 }")
    assert graph_of(text, TEST).problems == ()
    assert [p.where for p in graph_of(text, TRAIN).problems] == [place(text, "convolution_param")]
