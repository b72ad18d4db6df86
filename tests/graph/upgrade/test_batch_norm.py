import pytest

from caffepy.graph.upgrade import batch_norm
from tests.graph.upgrade.old import check_upgrade, net


def test_no_statistic_learns() -> None:
    check_upgrade(
        batch_norm,
        "layer { type: 'BatchNorm' param { name: 'm' lr_mult: 1 } param { decay_mult: 2 } param { } }",
        """layer { type: 'BatchNorm' param { name: 'm' lr_mult: 0 decay_mult: 0 }
             param { lr_mult: 0 decay_mult: 0 } param { lr_mult: 0 decay_mult: 0 } }""",
    )


@pytest.mark.parametrize(
    "layer",
    [
        "type: 'BatchNorm'",
        "type: 'BatchNorm' param { } param { }",
        "type: 'BatchNorm' param { } param { } param { } param { }",
        "type: 'Scale' param { } param { } param { }",
    ],
)
def test_only_exactly_three_specs_of_a_batch_norm_are_meant(layer: str) -> None:
    assert not batch_norm.needed(net(f"layer {{ {layer} }}").message)

    old = (
        "layer { type: 'BatchNorm' param { lr_mult: 0 } param { lr_mult: 0 } param { lr_mult: 0 } }"
    )
    zeros = "param { lr_mult: 0 decay_mult: 0 } " * 3
    new = f"layer {{ type: 'BatchNorm' {zeros} }}"
    check_upgrade(batch_norm, f"{old} layer {{ {layer} }}", f"{new} layer {{ {layer} }}")


def test_places_stay() -> None:
    old = net("layer { type: 'BatchNorm' param { }\n param { lr_mult: 1 } param { } }")

    new, _ = batch_norm.upgrade(old)

    assert str(new.position.at("layer", 0, "param", 1, "lr_mult")) == "net.prototxt:2:10"
