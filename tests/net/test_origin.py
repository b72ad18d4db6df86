from collections.abc import Callable
from pathlib import Path

import pytest

from caffepy.data.datum import to_datum
from caffepy.errors import LayerError
from caffepy.graph.load import make_graph
from caffepy.net.build import build_net
from caffepy.net.net import Net
from caffepy.net.stepwise import build_stepwise
from caffepy.proto import TEST, NetParameter, NetState
from caffepy.proto.files import parse_text
from tests.data.databases import ramp, write_datums, write_list

BUILDERS = pytest.mark.parametrize("build", [build_net, build_stepwise], ids=["whole", "stepwise"])
DATA = """
layer { name: "in" type: "Data" top: "data" top: "label"
        data_param { source: "%s" batch_size: 2 } }
"""
SCORES = """
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip"
        inner_product_param { num_output: 3 weight_filler { type: "xavier" } } }
"""
ACCURACY = """
layer { name: "accuracy" type: "Accuracy" bottom: "ip" bottom: "label" top: "accuracy" }
"""
LOSS = """
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }
"""
CHANGED = """
layer { name: "more" type: "Power" bottom: "label" top: "more" power_param { shift: 1 } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "more" top: "loss" }
"""


def net_of(text: str, build: Callable[..., Net]) -> Net:
    net, position = parse_text(text.encode(), NetParameter, "net.prototxt")
    return build(make_graph(net, position, NetState(phase=TEST)))


@pytest.fixture
def database(tmp_path: Path) -> str:
    """Five records, the last of which has a label that is no class."""
    labels = [0, 1, 2, 0, 3]
    return write_datums(tmp_path / "db", [to_datum(ramp(2, 3), label) for label in labels])


@BUILDERS
@pytest.mark.parametrize(
    ("readers", "layer"),
    [(LOSS, "'loss' (SoftmaxWithLoss)"), (ACCURACY + LOSS, "'accuracy' (Accuracy)")],
    ids=["read once", "through a Split"],
)
def test_the_record_of_a_bad_label_is_named(
    database: str, build: Callable[..., Net], readers: str, layer: str
) -> None:
    net = net_of(DATA % database + SCORES + readers, build)
    net.evaluate()
    net.evaluate()

    with pytest.raises(LayerError) as caught:
        net.evaluate()

    assert str(caught.value) == (
        f"layer {layer}: the label of item 0 is 3; allowed are 0 to 2: there are 3 classes; "
        f"it is of {database}: record '04'"
    )


def test_in_training_too(database: str) -> None:
    net = net_of(DATA % database + SCORES + LOSS, build_net)

    net.forward_backward()
    net.forward_backward()

    with pytest.raises(LayerError, match=r"it is of .*db: record '04'$"):
        net.forward_backward()


def test_the_line_of_a_list_is_named(tmp_path: Path) -> None:
    listing, folder = write_list(tmp_path, [ramp(2, 3)] * 5)
    data = f"""
        layer {{ name: "in" type: "ImageData" top: "data" top: "label"
          image_data_param {{ source: "{listing}" root_folder: "{folder}" batch_size: 5 }} }}
    """

    with pytest.raises(LayerError, match=r"item 3 is 3 .*it is of .*list.txt:4: '.*/3.png'$"):
        net_of(data + SCORES + LOSS, build_net).evaluate()


def test_labels_that_a_layer_made_are_of_no_record(database: str) -> None:
    net = net_of(DATA % database + SCORES + CHANGED, build_net)

    net.evaluate()

    with pytest.raises(LayerError, match=r"there are 3 classes$"):
        net.evaluate()


def test_labels_that_a_program_gives_are_of_no_record(database: str) -> None:
    net = net_of(DATA % database + SCORES + LOSS, build_net)
    tops = net.read()
    tops["label"] += 5

    with pytest.raises(LayerError, match=r"there are 3 classes$"):
        net(**tops)
