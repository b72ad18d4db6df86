import pytest
import torch

from caffepy.errors import LayerError
from caffepy.layers.layer import Shape
from tests.layers.conformance import check_layer, make_layer, random_bottoms

PROTOTXT = 'name: "shuffle1" type: "ShuffleChannel" shuffle_channel_param { %s }'


@pytest.mark.parametrize(
    "bottom", [(2, 6, 4, 5), (2, 6), (3, 6, 5), (2, 6, 1, 3, 4)], ids=["4", "2", "3", "5"]
)
def test_channels_of_all_groups_take_turns(bottom: Shape) -> None:
    layer = make_layer(PROTOTXT % "group: 3", bottom)
    (x,) = random_bottoms(bottom)

    assert torch.equal(layer(x), x[:, [0, 2, 4, 1, 3, 5]])
    check_layer(layer, [x], tops=[bottom])


def test_one_group_changes_nothing() -> None:
    (x,) = random_bottoms((2, 6, 4, 5))

    assert torch.equal(make_layer(PROTOTXT % "", (2, 6, 4, 5))(x), x)


def test_channels_last_stays() -> None:
    x = random_bottoms((2, 6, 4, 5))[0].to(memory_format=torch.channels_last)

    y = make_layer(PROTOTXT % "group: 2", (2, 6, 4, 5))(x)

    assert y.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    ("options", "bottom", "text"),
    [
        pytest.param("group: 0", (2, 6, 4, 5), "group is 0", id="0"),
        pytest.param("group: 4", (2, 6, 4, 5), "group is 4, must divide .* 6", id="division"),
        pytest.param("group: 1", (6,), "must have an axis of channels", id="no channels"),
    ],
)
def test_errors_name_the_layer(options: str, bottom: Shape, text: str) -> None:
    with pytest.raises(LayerError, match=f"'shuffle1' .*{text}"):
        make_layer(PROTOTXT % options, bottom).top_shapes(bottom)
