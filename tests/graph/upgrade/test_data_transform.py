import pytest

from caffepy.graph.upgrade import data_transform
from tests.graph.upgrade.old import check_upgrade, net

SETTINGS = "scale: 0.5 mean_file: 'm' crop_size: 8 mirror: true"


@pytest.mark.parametrize(
    ("type_", "message"),
    [
        ("DATA", "data_param"),
        ("IMAGE_DATA", "image_data_param"),
        ("WINDOW_DATA", "window_data_param"),
    ],
)
def test_settings_move(type_: str, message: str) -> None:
    check_upgrade(
        data_transform,
        f"layers {{ type: {type_} {message} {{ source: 's' {SETTINGS} }} }}",
        f"layers {{ type: {type_} {message} {{ source: 's' }} transform_param {{ {SETTINGS} }} }}",
    )


@pytest.mark.parametrize("setting", ["scale: 1", "mean_file: ''", "crop_size: 0", "mirror: false"])
def test_one_setting_is_enough_be_it_the_default(setting: str) -> None:
    check_upgrade(
        data_transform,
        f"layers {{ type: DATA data_param {{ {setting} }} }}",
        f"layers {{ type: DATA data_param {{ }} transform_param {{ {setting} }} }}",
    )


def test_what_transform_param_says_gives_way() -> None:
    check_upgrade(
        data_transform,
        "layers { type: DATA data_param { scale: 2 } transform_param { scale: 3 mean_value: 4 } }",
        "layers { type: DATA data_param { } transform_param { scale: 2 mean_value: 4 } }",
    )


def test_the_other_layers_that_read_images_have_both_messages_then_as_in_caffe() -> None:
    check_upgrade(
        data_transform,
        """layers { type: DATA data_param { scale: 2 } } layers { type: IMAGE_DATA }
           layers { type: RELU }""",
        """layers { type: DATA data_param { } transform_param { scale: 2 } }
           layers { type: IMAGE_DATA image_data_param { } transform_param { } }
           layers { type: RELU }""",
    )


@pytest.mark.parametrize(
    "text",
    [
        "layers { type: DATA data_param { source: 's' } transform_param { scale: 2 } }",
        "layers { type: DATA image_data_param { scale: 2 } }",
        "layers { type: MEMORY_DATA data_param { scale: 2 } }",
        "layer { type: 'Data' data_param { scale: 2 } }",
        "name: 'empty'",
    ],
    ids=["moved already", "another's message", "another type", "today's format", "no layers"],
)
def test_is_not_needed(text: str) -> None:
    assert not data_transform.needed(net(text).message)


def test_places_move_too() -> None:
    text = """
layers { type: DATA
  transform_param { mirror: true }
  data_param { scale: 2 } }
layers { type: RELU }
"""
    old = net(text)

    new, _ = data_transform.upgrade(old)

    where = new.position.at("layers", 0)
    assert str(where) == "net.prototxt:1:1"
    assert str(where.at("transform_param", "mirror")) == "net.prototxt:2:21"
    assert str(where.at("transform_param", "scale")) == "net.prototxt:3:16"
    assert str(where.at("data_param")) == "net.prototxt:3:3"
    assert str(new.position.at("layers", 1)) == "net.prototxt:4:1"
    assert old.position == net(text).position
