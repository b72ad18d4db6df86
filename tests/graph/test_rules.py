import pytest
from google.protobuf import text_format

from caffepy.graph.rules import filter_nodes, included, meets
from caffepy.proto import TEST, TRAIN, LayerParameter, NetState, NetStateRule
from tests.graph.nets import layer, nodes_of

STATE = NetState(phase=TRAIN, level=2, stage=["a", "b"])


@pytest.mark.parametrize(
    ("rule", "met"),
    [
        ("", True),
        ("phase: TRAIN", True),
        ("phase: TEST", False),
        ("min_level: 2", True),
        ("min_level: 3", False),
        ("max_level: 2", True),
        ("max_level: 1", False),
        ("max_level: -1", False),
        ("stage: 'a'", True),
        ("stage: 'a' stage: 'b'", True),
        ("stage: 'a' stage: 'c'", False),
        ("not_stage: 'c'", True),
        ("not_stage: 'c' not_stage: 'b'", False),
        ("phase: TRAIN min_level: 1 max_level: 3 stage: 'b' not_stage: 'c'", True),
        ("phase: TRAIN min_level: 3 stage: 'b'", False),
    ],
)
def test_a_rule_is_met_when_all_it_mentions_holds(rule: str, met: bool) -> None:
    assert meets(STATE, text_format.Parse(rule, NetStateRule())) is met


def test_an_unset_level_is_0() -> None:
    assert meets(NetState(), NetStateRule(min_level=0, max_level=0))
    assert not meets(NetState(), NetStateRule(min_level=1))


@pytest.mark.parametrize(
    ("rules", "kept"),
    [
        ("", True),
        ("include { phase: TRAIN }", True),
        ("include { phase: TEST }", False),
        ("include { phase: TEST } include { stage: 'a' }", True),
        ("include {}", True),
        ("exclude { phase: TRAIN }", False),
        ("exclude { phase: TEST }", True),
        ("exclude { phase: TEST } exclude { stage: 'a' }", False),
    ],
)
def test_one_include_rule_is_enough_and_one_exclude_rule_too(rules: str, kept: bool) -> None:
    assert included(text_format.Parse(rules, LayerParameter()), STATE) is kept


def test_layers_kept_have_a_phase_and_the_originals_are_untouched() -> None:
    nodes = nodes_of(
        layer("a", "ReLU", "x", "y")
        + layer("b", "ReLU", "x", "y", "phase: TEST")
        + layer("c", "ReLU", "x", "y", "include { phase: TEST }")
    )
    kept, left_out = filter_nodes(nodes, STATE)
    assert [(node.param.name, node.param.phase) for node in kept] == [("a", TRAIN), ("b", TEST)]
    assert [node.param.name for node in left_out] == ["c"]
    assert not nodes[0].param.HasField("phase")
