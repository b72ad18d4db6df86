import pytest

from caffepy.graph.kinds import KINDS, at_least
from caffepy.proto import LayerParameter


@pytest.mark.parametrize("name", KINDS)
def test_every_message_is_a_field_of_a_layer(name: str) -> None:
    fields = LayerParameter.DESCRIPTOR.fields_by_name
    assert [field for field in KINDS[name].fields if field not in fields] == []


def test_at_least_has_no_upper_end() -> None:
    assert 1 not in at_least(2)
    assert 2 in at_least(2)
    assert 1000 in at_least(2)
