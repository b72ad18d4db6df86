import numpy as np
import pytest

from caffepy.proto import RunState, SolverState
from caffepy.solver.plateau import Plateau, keep_plateau, kept_plateau


def test_it_steps_when_nothing_got_better_for_a_window() -> None:
    plateau, step, steps = Plateau(), 0, []
    for iteration, value in enumerate([5, 4, 4, 4, 4, 3, 9, 9, 9, 9, 9]):
        plateau.value = value
        step = plateau.next_step([3, 2], iteration, step)
        steps.append(step)

    #        best at 1:  3 later        best at 5: 2 later, and no window is left
    assert steps == [0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 2]
    assert (plateau.best, plateau.since) == (3, 7)


def test_it_is_ssds_rule() -> None:
    rng = np.random.default_rng(0)
    windows, losses = [4, 3, 5, 2], rng.random(200) / (1 + np.arange(200) / 20)
    plateau, step = Plateau(), 0
    least, event, expected = np.inf, 0, 0
    for iteration, loss in enumerate(losses):
        if loss < least:
            least, event = loss, iteration
        if expected < len(windows) and iteration - event >= windows[expected]:
            expected, event = expected + 1, iteration
        plateau.value = loss
        step = plateau.next_step(windows, iteration, step)
        assert step == expected
    assert step > 2


def test_how_far_plateau_is_is_kept() -> None:
    run = RunState()
    keep_plateau(Plateau(value=0.7, best=-0.1, since=12), run)
    state = SolverState(iter=20, run=run, minimum_loss=5, iter_last_event=1)
    assert kept_plateau(state) == Plateau(value=0.7, best=-0.1, since=12)


@pytest.mark.parametrize(
    ("state", "plateau"),
    [
        pytest.param(SolverState(iter=20), Plateau(since=20), id="Caffe's"),
        pytest.param(SolverState(iter=20, run=RunState()), Plateau(since=20), id="unused"),
        pytest.param(
            SolverState(iter=20, minimum_loss=0.5, iter_last_event=12),
            Plateau(best=0.5, since=12),
            id="SSD's",
        ),
    ],
)
def test_how_far_plateau_was_in_states_of_others(state: SolverState, plateau: Plateau) -> None:
    keep_plateau(Plateau(), state.run)
    assert kept_plateau(state) == plateau
