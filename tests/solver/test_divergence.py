from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from caffepy.solver.divergence import diagnose, last_good, moment
from caffepy.solver.solver import Solver
from tests.net.nets import net_of
from tests.solver.tiny import write_training


def test_names_the_first_layer_whose_top_is_not_finite(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    net = Solver(write_training()).net
    with torch.no_grad():
        net.learnable[1].param[2] = float("inf")

    assert "blob that is not finite is 'ip', which layer 'ip' makes" in diagnose(
        net, moment(net), 1, 5
    )


def test_names_the_data_where_that_is_to_blame(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = write_training(shuffle=False)
    with h5py.File("rows.h5", "a") as file:
        rows = file["data"]
        assert isinstance(rows, h5py.Dataset)
        rows[6, 2] = np.nan

    net = Solver(path).net
    assert "blob 'data' is not finite as it is read" in diagnose(net, moment(net), 2, 5)


def test_says_so_where_nothing_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    net = Solver(write_training()).net
    assert "each blob was finite" in diagnose(net, moment(net), 2, 5)


def test_runs_the_same_batch_with_the_same_dropout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    net = Solver(write_training()).net
    before = moment(net)
    loss = net.forward_backward()
    after = moment(net)

    diagnose(net, before, 1, 5)

    assert net.positions() == after.place.positions
    assert torch.equal(torch.get_rng_state(), after.rng)
    torch.set_rng_state(before.rng)
    net.seek(before.place.positions, 5)
    assert torch.equal(net.forward_backward(), loss)


def test_runs_the_same_batch_from_the_same_state_of_an_lstm() -> None:
    net = net_of(
        """
        layer { name: "x" type: "Input" top: "x" top: "cont"
                input_param { shape { dim: 4 dim: 3 dim: 2 } shape { dim: 4 dim: 3 } } }
        layer { name: "lstm" type: "LSTM" bottom: "x" bottom: "cont" top: "h"
                recurrent_param { num_output: 5 weight_filler { type: "xavier" } } }
        """
    )
    before = moment(net)
    net(x=torch.full((4, 3, 2), float("nan")), cont=torch.ones(4, 3))

    assert "each blob was finite" in diagnose(net, before, 1, 5)


def test_tells_where_to_go_on_from() -> None:
    assert last_good(0) == "the last snapshot is that of iteration 0"
    assert last_good(None) == "no snapshot was written"
