import pytest

from caffepy.errors import LayerError
from caffepy.net.need import Need, needs_of, require_gradients
from tests.net.nets import net_of

TEXT = """
{force}
layer {{ name: "data" type: "Input" top: "data" top: "label"
        input_param {{ shape {{ dim: 6 dim: 5 }} shape {{ dim: 6 }} }} }}
layer {{ name: "frozen" type: "InnerProduct" bottom: "data" top: "frozen"
        param {{ lr_mult: 0 }} param {{ lr_mult: 0 }}
        inner_product_param {{ num_output: 7 weight_filler {{ type: "xavier" }} }} }}
layer {{ name: "relu" type: "ReLU" bottom: "frozen" top: "frozen" }}
layer {{ name: "ip" type: "InnerProduct" bottom: "frozen" top: "ip"
        inner_product_param {{ num_output: 3 weight_filler {{ type: "xavier" }} }} }}
layer {{ name: "side" type: "InnerProduct" bottom: "data" top: "side"
        inner_product_param {{ num_output: 2 weight_filler {{ type: "xavier" }} }} }}
layer {{ name: "tanh" type: "TanH" bottom: "ip" top: "tanh" {down} }}
layer {{ name: "loss" type: "SoftmaxWithLoss" bottom: "tanh" bottom: "label" top: "loss" }}
"""


def needs(force: str = "", down: str = "") -> dict[str, Need]:
    net = net_of(TEXT.format(force=force, down=down))
    return dict(zip(net.layer_names, needs_of(net), strict=True))


def test_backward_runs_between_what_learns_and_a_loss() -> None:
    found = needs()

    assert {name for name, need in found.items() if need.layer} == {"ip", "tanh", "loss"}
    assert found["ip"].bottoms == (False,)  # nothing above it learns
    assert found["loss"].bottoms == (True, False)
    assert found["side"] == Need(False, (False,))  # it learns, but leads to no loss


def test_propagate_down_false_stops_backward() -> None:
    found = needs(down="propagate_down: false")

    assert {name for name, need in found.items() if need.layer} == {"tanh", "loss"}
    assert found["tanh"].bottoms == (False,)


def test_propagate_down_true_asks_for_a_gradient_that_nothing_needs() -> None:
    text = TEXT.replace(
        'bottom: "frozen" top: "ip"', 'bottom: "frozen" top: "ip" propagate_down: true'
    )
    net = net_of(text.format(force="", down=""))

    assert dict(zip(net.layer_names, needs_of(net), strict=True))["ip"].bottoms == (True,)


def test_force_backward_runs_every_layer() -> None:
    found = needs("force_backward: true")

    assert [name for name, need in found.items() if not need.layer] == ["data"]
    assert all(all(need.bottoms) for need in found.values())


def test_a_layer_learns_by_a_blob_that_it_shares_in_another_shape() -> None:
    share = 'param { name: "w" share_mode: PERMISSIVE }'
    net = net_of(
        f"""
        layer {{ name: "data" type: "Input" top: "x" top: "y"
                input_param {{ shape {{ dim: 4 dim: 2 }} shape {{ dim: 4 dim: 6 }} }} }}
        layer {{ name: "a" type: "InnerProduct" bottom: "x" top: "a" loss_weight: 1 {share}
                inner_product_param {{ num_output: 6 bias_term: false }} }}
        layer {{ name: "b" type: "InnerProduct" bottom: "y" top: "b" loss_weight: 1 {share}
                inner_product_param {{ num_output: 2 bias_term: false }} }}
        """
    )

    assert [need.layer for need in needs_of(net)] == [False, True, True]


def test_a_parameter_that_leads_to_a_loss_is_run_back() -> None:
    text = """
    {force}
    layer {{ name: "p" type: "Parameter" top: "p" parameter_param {{ shape {{ dim: 2 }} }} {down} }}
    layer {{ name: "tanh" type: "TanH" bottom: "p" top: "tanh" loss_weight: 1 }}
    """
    for force, frozen, run in (
        ("", "", True),
        ("", "param { lr_mult: 0 }", False),
        ("force_backward: true", "param { lr_mult: 0 }", True),
    ):
        found = needs_of(net_of(text.format(force=force, down=frozen)))
        assert found == [Need(run, ()), Need(run, (run,))]


def learned_label(down: str = "", mult: int = 1, force: str = "") -> str:
    """A net whose labels are what a layer made."""
    return f"""{force}
    layer {{ name: "x" type: "Input" top: "x" input_param {{ shape {{ dim: 2 dim: 3 }} }} }}
    layer {{ name: "a" type: "InnerProduct" bottom: "x" top: "a" inner_product_param {{ num_output: 4 }} }}
    layer {{ name: "b" type: "InnerProduct" bottom: "x" top: "b" inner_product_param {{ num_output: 4 }}
            param {{ lr_mult: {mult} }} param {{ lr_mult: {mult} }} }}
    layer {{ name: "loss" type: "SigmoidCrossEntropyLoss" bottom: "a" bottom: "b" top: "loss" {down} }}
    """


def test_a_label_that_is_learned_is_refused() -> None:
    with pytest.raises(LayerError) as caught:
        require_gradients(net_of(learned_label()))

    assert str(caught.value).endswith(
        ":6:70: layer 'loss' (SigmoidCrossEntropyLoss): cannot backpropagate to bottom 1, 'b', which "
        "comes from layers that learn: give propagate_down, false for it, or those layers lr_mult: 0"
    )


def test_a_label_that_propagate_down_asks_a_gradient_for_is_refused() -> None:
    text = learned_label(mult=0, down="propagate_down: true propagate_down: true")

    with pytest.raises(LayerError, match=r"to bottom 1, 'b', where propagate_down is true$"):
        require_gradients(net_of(text))


@pytest.mark.parametrize(
    "text",
    [
        learned_label(mult=0),
        learned_label(down="propagate_down: true propagate_down: false"),
        learned_label(down="loss_weight: 0"),
        learned_label(force="force_backward: true"),
    ],
)
def test_labels_that_need_no_gradient_are_taken(text: str) -> None:
    require_gradients(net_of(text))
