"""The nets of models/: what Caffe's files of the same names are, so that published weights fit."""

import math
import re
import shlex
from functools import cache
from pathlib import Path

import pytest
import torch

from caffepy.cli.main import load
from caffepy.graph.load import load_graph, make_graph
from caffepy.graph.solver_nets import read_solver
from caffepy.layers.layer import Shape
from caffepy.net.build import build_net
from caffepy.net.net import Net
from caffepy.net.weights import copy_weights, write_weights
from caffepy.proto import (
    TEST,
    TRAIN,
    ConvolutionParameter,
    InnerProductParameter,
    LayerParameter,
    NetParameter,
    NetState,
    Phase,
    PoolNormOrder,
)
from caffepy.proto.files import read_text

MODELS = Path(__file__).parents[2] / "models"
NAMES = sorted(path.name for path in MODELS.iterdir())
TWINS = ["bvlc_alexnet", "bvlc_caffenet"]
BLOBS: dict[str, list[Shape]] = {
    "conv1": [(96, 3, 11, 11), (96,)],
    "conv2": [(256, 48, 5, 5), (256,)],
    "conv3": [(384, 256, 3, 3), (384,)],
    "conv4": [(384, 192, 3, 3), (384,)],
    "conv5": [(256, 192, 3, 3), (256,)],
    "fc6": [(4096, 9216), (4096,)],
    "fc7": [(4096, 4096), (4096,)],
    "fc8": [(1000, 4096), (1000,)],
}
TOPS = {
    "conv1": (96, 55, 55),
    "pool1": (96, 27, 27),
    "conv2": (256, 27, 27),
    "pool2": (256, 13, 13),
    "conv3": (384, 13, 13),
    "conv4": (384, 13, 13),
    "conv5": (256, 13, 13),
    "pool5": (256, 6, 6),
    "fc6": (4096,),
    "fc7": (4096,),
    "fc8": (1000,),
}


def learned(layer: LayerParameter) -> ConvolutionParameter | InnerProductParameter:
    """The message of a layer with weights."""
    return layer.convolution_param if layer.type == "Convolution" else layer.inner_product_param


def with_inputs(net: NetParameter, batch: int) -> NetParameter:
    """The net with inputs in the place of its databases."""
    result = NetParameter()
    result.CopyFrom(net)
    for layer in result.layer:
        if layer.type == "Data":
            crop = layer.transform_param.crop_size
            layer.type = "Input"
            layer.input_param.shape.add(dim=[batch, 3, crop, crop])
            layer.input_param.shape.add(dim=[batch])
            layer.ClearField("data_param")
            layer.ClearField("transform_param")
    return result


@cache
def trained(name: str, phase: Phase) -> Net:
    """The net to train, over inputs; its weights are not filled with numbers, which takes seconds."""
    net, position = read_text(MODELS / name / "train_val.prototxt", NetParameter)
    net = with_inputs(net, batch=2)
    for layer in net.layer:
        if layer.name in BLOBS:
            learned(layer).ClearField("weight_filler")
    return build_net(make_graph(net, position, NetState(phase=phase)))


@cache
def deployed(name: str) -> Net:
    return build_net(load_graph(MODELS / name / "deploy.prototxt", NetState(phase=TEST)))


def layers(name: str, file: str = "train_val.prototxt") -> dict[str, LayerParameter]:
    net, _ = read_text(MODELS / name / file, NetParameter)
    return {layer.name: layer for layer in net.layer}


def blobs(net: Net) -> dict[str, list[Shape]]:
    shapes = {
        name: [tuple(blob.shape) for blob in net.blobs_of(index)]
        for index, name in enumerate(net.layer_names)
    }
    return {name: found for name, found in shapes.items() if found}


@pytest.mark.parametrize("name", NAMES)
def test_each_model_has_its_files(name: str) -> None:
    files = {path.name for path in (MODELS / name).iterdir()}

    assert files >= {"deploy.prototxt", "readme.md", "solver.prototxt", "train_val.prototxt"}


@pytest.mark.parametrize("name", NAMES)
def test_solvers_name_their_own_nets(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(MODELS.parent)

    solver = read_solver(f"models/{name}/solver.prototxt")

    assert solver.problems == ()
    assert solver.param.net == f"models/{name}/train_val.prototxt"
    assert solver.param.snapshot_prefix.startswith(f"models/{name}/")


@pytest.mark.parametrize("name", TWINS)
def test_the_recipe(name: str) -> None:
    param = read_solver(MODELS / name / "solver.prototxt").param
    batches = [
        (node.param.data_param.batch_size, node.param.transform_param.mirror)
        for phase in (TRAIN, TEST)
        for node in load_graph(MODELS / name / "train_val.prototxt", NetState(phase=phase)).nodes
        if node.param.type == "Data"
    ]

    assert batches == [(256, True), (50, False)]
    assert (param.lr_policy, param.stepsize, param.max_iter) == ("step", 100_000, 450_000)
    assert (list(param.test_iter), param.test_interval) == ([1000], 1000)
    numbers = (param.base_lr, param.gamma, param.momentum, param.weight_decay)
    assert numbers == pytest.approx((0.01, 0.1, 0.9, 0.0005))


@pytest.mark.parametrize("phase", [TRAIN, TEST], ids=["train", "test"])
@pytest.mark.parametrize("name", TWINS)
def test_blobs_and_tops(name: str, phase: Phase) -> None:
    net = trained(name, phase)

    assert blobs(net) == BLOBS
    assert {blob: net.shapes[blob][1:] for blob in TOPS} == TOPS
    assert net.outputs == (["loss"] if phase == TRAIN else ["accuracy", "loss"])


@pytest.mark.parametrize("name", TWINS)
def test_number_of_parameters(name: str) -> None:
    net = deployed(name)

    assert sum(math.prod(shape) for found in blobs(net).values() for shape in found) == 60_965_224
    assert f"{60_965_224:,} parameters" in " ".join(
        (MODELS / name / "readme.md").read_text().split()
    )


@pytest.mark.parametrize("name", TWINS)
def test_what_is_trained_is_what_is_deployed(name: str) -> None:
    """In all but fillers, rates and phases, from the first convolution to the last score."""
    to_train, to_deploy = layers(name), layers(name, "deploy.prototxt")
    for layer in BLOBS:
        del to_train[layer].param[:]
        learned(to_train[layer]).ClearField("weight_filler")
        learned(to_train[layer]).ClearField("bias_filler")

    inner = [layer for layer in to_deploy if layer not in ("data", "prob")]

    assert [to_train[layer] for layer in inner] == [to_deploy[layer] for layer in inner]
    assert len(inner) == 22
    assert deployed(name).shapes["prob"] == (10, 1000)


@pytest.mark.parametrize(("name", "bias"), [("bvlc_alexnet", 0.1), ("bvlc_caffenet", 1)])
def test_how_blobs_begin_and_learn(name: str, bias: float) -> None:
    stds = dict.fromkeys(BLOBS, 0.01) | {"fc6": 0.005, "fc7": 0.005}
    biases = dict.fromkeys(BLOBS, bias) | {"conv1": 0, "conv3": 0, "fc8": 0}
    for layer, param in layers(name).items():
        if layer not in BLOBS:
            assert not param.param
            continue
        message = learned(param)
        assert message.weight_filler.type == "gaussian"
        assert message.weight_filler.std == pytest.approx(stds[layer])
        assert message.bias_filler.value == pytest.approx(biases[layer])
        assert [(p.lr_mult, p.decay_mult) for p in param.param] == [(1, 1), (2, 0)]


@pytest.mark.parametrize(
    ("name", "order"), [("bvlc_alexnet", "norm pool"), ("bvlc_caffenet", "pool norm")]
)
def test_the_order_of_pooling_and_normalisation(name: str, order: str) -> None:
    names = list(layers(name))

    for stage in ("1", "2"):
        start = names.index(f"relu{stage}") + 1
        assert [layer.rstrip("12") for layer in names[start : start + 2]] == order.split()
    norm = layers(name)["norm1"].lrn_param
    assert (norm.local_size, norm.k) == (5, 1)
    assert (norm.alpha, norm.beta) == pytest.approx((1e-4, 0.75))


def small(name: str, order: PoolNormOrder | None = None) -> Net:
    """The net to deploy with fewer outputs everywhere, over two images."""
    net, position = read_text(MODELS / name / "deploy.prototxt", NetParameter)
    net.layer[0].input_param.shape[0].dim[0] = 2
    for layer in net.layer:
        if layer.name in BLOBS:
            learned(layer).num_output //= 8
            learned(layer).weight_filler.type = "xavier"
    return build_net(make_graph(net, position, NetState(phase=TEST), order))


@pytest.mark.parametrize(("source", "target"), [TWINS, TWINS[::-1]])
def test_weights_of_either_load_into_the_other(source: str, target: str, tmp_path: Path) -> None:
    """In the order of the other it computes the same as with its own file."""
    order = PoolNormOrder.NORM_FIRST if source == TWINS[0] else PoolNormOrder.POOL_FIRST
    made = small(source)
    write_weights(made, tmp_path / "small.caffemodel")
    images = torch.rand(2, 3, 227, 227) * 255

    as_written, reordered = small(target), small(target, order)
    reports = [copy_weights(net, tmp_path / "small.caffemodel") for net in (as_written, reordered)]

    assert [report.copied for report in reports] == [tuple(BLOBS)] * 2
    expected = made(data=images)["prob"]
    assert torch.equal(reordered(data=images)["prob"], expected)
    assert not torch.allclose(as_written(data=images)["prob"], expected)


@pytest.mark.parametrize("name", NAMES)
def test_readmes_begin_as_caffes_do(name: str) -> None:
    """With what Caffe's download script reads."""
    _, front, _ = (MODELS / name / "readme.md").read_text().split("---\n", 2)
    entries = dict(line.split(": ", 1) for line in front.splitlines())

    assert {"name", "caffemodel", "caffemodel_url", "license"} <= set(entries)
    assert entries["caffemodel_url"].endswith("/" + entries["caffemodel"])
    assert len(entries.get("sha1", "0" * 40)) == 40


@pytest.mark.parametrize("name", NAMES)
def test_commands_in_readmes_are_commands(name: str) -> None:
    text = (MODELS / name / "readme.md").read_text().replace("\\\n", " ")
    commands = re.findall(r"^\$ caffepy (\S+) (.*)", text, re.MULTILINE)

    assert commands
    for verb, flags in commands:
        load(verb)[1].parse(shlex.split(flags))


@pytest.mark.parametrize("name", NAMES)
def test_links_in_readmes_lead_somewhere(name: str) -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", (MODELS / name / "readme.md").read_text())

    assert [link for link in links if not (MODELS / name / link).exists()] == []


INCEPTIONS = {
    "3a": (256, 28),
    "3b": (480, 28),
    "4a": (512, 14),
    "4b": (512, 14),
    "4c": (512, 14),
    "4d": (528, 14),
    "4e": (832, 14),
    "5a": (832, 7),
    "5b": (1024, 7),
}


def test_googlenet_widens_and_narrows_as_in_the_paper() -> None:
    """Table 1 of the paper: channels and side of each inception module's output."""
    net = build_net(load_graph(MODELS / "bvlc_googlenet/deploy.prototxt", NetState(phase=TEST)))

    sizes = {name: net.shapes[f"inception_{name}/output"][1:] for name in INCEPTIONS}
    assert sizes == {name: (width, side, side) for name, (width, side) in INCEPTIONS.items()}
    assert net.shapes["pool5/7x7_s1"] == (10, 1024, 1, 1)
    types = [node.param.type for node in net.graph.nodes]
    assert types.count("Convolution") == 57


def test_googlenet_trains_by_three_losses() -> None:
    graph = load_graph(MODELS / "bvlc_googlenet/train_val.prototxt", NetState(phase=TRAIN))

    weights = {name: round(weight, 6) for name, weight in graph.loss_weights.items()}
    assert weights == {"loss1/loss1": 0.3, "loss2/loss1": 0.3, "loss3/loss3": 1}
