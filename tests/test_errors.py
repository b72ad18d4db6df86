import inspect

import pytest

from caffepy import errors


def test_every_error_can_be_caught_as_caffe_error() -> None:
    classes = dict(inspect.getmembers(errors, inspect.isclass))
    raised = {name for name, cls in classes.items() if issubclass(cls, Exception)}

    assert raised == {
        "CaffeError",
        "DataError",
        "LayerError",
        "NetError",
        "ParseError",
        "SnapshotError",
        "SolverError",
        "WeightsError",
    }
    assert all(issubclass(classes[name], errors.CaffeError) for name in raised)


def test_a_layer_error_knows_its_field() -> None:
    assert errors.LayerError("no", "lrn_param.local_size").field == "lrn_param.local_size"
    assert errors.LayerError("no").field == ""


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        pytest.param("conv11", "; did you mean 'conv1'?", id="one"),
        pytest.param("pool", "; did you mean 'pool2' or 'pool1'?", id="two"),
        pytest.param("xyz", "", id="none"),
    ],
)
def test_near_names_what_was_perhaps_meant(name: str, hint: str) -> None:
    assert errors.near(name, ["conv1", "pool1", "pool2"]) == hint
