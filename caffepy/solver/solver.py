"""The solver: the one loop that trains."""

import logging
import math
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Literal

import torch

from caffepy.errors import SolverError
from caffepy.graph.solver_nets import SolverFile, read_solver
from caffepy.net.build import build_net
from caffepy.net.debug import debugging, debugging_update
from caffepy.net.net import Net
from caffepy.net.place import place_of
from caffepy.proto import RunState, SolverState
from caffepy.solver import report
from caffepy.solver.divergence import Moment, diagnose, last_good, moment
from caffepy.solver.journal import Journal
from caffepy.solver.keeper import Keeper
from caffepy.solver.passes import forward_backward, run_test
from caffepy.solver.plateau import kept_plateau
from caffepy.solver.profile import PASSES, UPDATE, Profile, timed
from caffepy.solver.requests import Action, Requests
from caffepy.solver.resume import state_of, take_up
from caffepy.solver.run_state import capture, recall
from caffepy.solver.setup import choose_snapshot, complete, make_nets, sow, weight_files
from caffepy.solver.update import Updater
from caffepy.solver.watched import watch

log = logging.getLogger(__name__)


class Solver:
    """A training: its nets, its settings, and the loop over updates, tests and snapshots.

    Args:
        source: a solver.prototxt.
        weights: .caffemodel files to start from, in order, in place of the solver's `weights`; each
            may be a comma list. Matched by layer name.
        snapshot: a .solverstate to go on from; it brings its own weights.
        resume: find `snapshot`, the newest valid one of the solver's prefix; without any, start as
            without `resume`.
        device: where the nets run.
        level, stages: of the train net's state, for layers with rules.
        build: makes a net of a graph, as `build_net` does.
        on_nan: what follows a loss that is nan or infinite; "continue" is Caffe's way: to train on,
            and to write snapshots of what comes of it.

    net, test_nets: the test nets share the train net's blobs. param: the settings. iter: how many
    updates were made. updater: the rate, the rule and its history. copied: what each file of
    weights did to the train net. callbacks: in each iteration the first of each is called before the
    forward pass, the second when the gradients are there. progress: called after each update with
    iter, max_iter, the smoothed loss and the learning rate. journal: its `record` is called with
    every number that is logged. profile: measures iterations, where it is set.

    Raises:
        ParseError, NetError, LayerError, DataError: a file or a net is wrong.
        SolverError: a setting is.
        SnapshotError: snapshots could not be written, or `snapshot` is not this solver's.
        WeightsError: the weights do not fit.
    """

    iter = 0
    stopping = False
    progress: Callable[[int, int, float, float], None] | None = None
    _last_snapshot: int | None = None
    _restored_losses: Sequence[float] = ()
    _test_start: RunState | None = None  # where a resumed run begins a test anew that was under way

    def __init__(  # noqa: PLR0913  all that a command line can set, by keyword
        self,
        source: str | Path | SolverFile,
        *,
        weights: str | Path | Sequence[str | Path] | None = None,
        snapshot: str | Path | None = None,
        resume: bool = False,
        device: str | torch.device = "cpu",
        level: int = 0,
        stages: Sequence[str] = (),
        build: Callable[..., Net] = build_net,
        on_nan: Literal["stop", "continue"] = "stop",
    ) -> None:
        file = source if isinstance(source, SolverFile) else read_solver(source)
        self.param = complete(file)
        self.device = torch.device(device)
        snapshot = choose_snapshot(self.param.snapshot_prefix, snapshot, resume=resume)
        self.seed = sow(self.param)
        start = self.param.weights if weights is None else weights
        files = weight_files(start) if snapshot is None else []

        make = partial(build, device=self.device, seed=self.seed)
        self.net, self.test_nets, self.copied = make_nets(file, make, files, level, stages)
        best = watch(file, "keep_best", self.test_nets)
        self._keeper = Keeper(self.param, best, finite=on_nan == "stop")
        self.updater = Updater(self.param, self.net.learnable)
        self._watched = watch(file, "plateau_output", self.test_nets)
        self.journal = Journal(self.param)
        self.on_nan = on_nan
        self.callbacks: list[tuple[Callable[[], object], Callable[[], object]]] = []
        self.profile: Profile | None = None
        self._requests = Requests()
        self._losses: deque[float] = deque(maxlen=self.param.average_loss)
        log.info("Solver scaffolding done.")
        if snapshot is not None:
            log.info("Resuming from %s", snapshot)
            self.restore(snapshot)

    @property
    def smoothed_loss(self) -> float:
        """The mean of the last `average_loss` losses."""
        return sum(self._losses) / len(self._losses)

    def solve(self) -> None:
        """Train up to max_iter; then snapshot, test and print as Caffe does at the end.

        Raises:
            SolverError: the loss or the learning rate became nan or infinite.
            SnapshotError: a snapshot could not be written.
        """
        log.info("Solving %s", self.net.name)
        log.info("Learning Rate Policy: %s", self.param.lr_policy)
        self.step(self.param.max_iter - self.iter)
        if self.param.snapshot_after_train and not self._due(self.param.snapshot):
            self.snapshot()
        if self.stopping:
            log.info("Optimization stopped early.")
            return
        self._test_start = self._capture()  # for the last test: an unbroken run reads no batch here
        if self._due(self.param.display):
            # Caffe's net still shows itself if the last iteration was one of those displayed.
            with debugging(self.net, on=self.param.debug_info and self.param.display == 1):
                self._losses.append(float(self.net.evaluate()))
            self.journal.end(self.iter, self.smoothed_loss)
        if self._due(self.param.test_interval):
            self.test_all()
        self._test_start = None
        log.info("Optimization Done.")

    def step(self, count: int) -> None:
        """Make `count` updates, and test, print and snapshot where their intervals say so."""
        self.stopping = False
        self._test_start = None
        self._losses = deque(self._restored_losses, maxlen=self.param.average_loss)
        self._restored_losses = ()
        self.journal.begin(self.iter)
        end = self.iter + count
        while self.iter < end and not self.stopping:
            self._iterate()
            if self.profile is not None:
                self.profile.lap()

    def _iterate(self) -> None:
        self.net.zero_diffs()
        if self._due(self.param.test_interval) and (self.iter or self.param.test_initialization):
            self.test_all()
            if self.stopping:
                return
        for on_start, _ in self.callbacks:
            on_start()
        with timed(self.profile, PASSES):
            self._losses.append(self._forward_backward())
        if self._watched is None:
            self.updater.plateau.value = self.smoothed_loss
        if self._due(self.param.display):
            self.journal.display(self.iter, self.smoothed_loss, self.net)
        for _, on_gradients_ready in self.callbacks:
            on_gradients_ready()
        rate = self.apply_update()
        if self.progress is not None:
            self.progress(self.iter, self.param.max_iter, self.smoothed_loss, rate)
        self._answer_requests(snapshot=self._due(self.param.snapshot))

    def _due(self, interval: int) -> bool:
        return interval > 0 and self.iter % interval == 0

    def _forward_backward(self) -> float:
        """The mean loss of iter_size batches, whose gradients add up."""
        before = moment(self.net)
        loss = forward_backward(self.net, self.param.iter_size, debug=self._debugs)
        if not math.isfinite(loss):
            self._diverge(loss, before)
        return loss

    @property
    def _debugs(self) -> bool:
        return self.param.debug_info and self._due(self.param.display)

    def _diverge(self, loss: float, before: Moment) -> None:
        what = f"iteration {self.iter}: the loss is {report.number(loss)}"
        if self.on_nan == "stop":
            where = diagnose(self.net, before, self.param.iter_size, self.seed)
            raise SolverError(
                f"{what}, so training stops; {where} (base_lr is "
                f"{report.number(self.param.base_lr)}); {last_good(self._last_snapshot)}"
            )
        if all(map(math.isfinite, self._losses)):  # else it has been said
            log.warning("%s, and training goes on, as it was asked to", what)

    def apply_update(self) -> float:
        """Move the parameters by their gradients, and return the learning rate of this iteration."""
        rate = self.updater.rate(self.iter)
        if self._due(self.param.display):
            self.journal.rate(self.iter, rate, self.updater.line(self.iter, rate))
        with timed(self.profile, UPDATE), debugging_update(self.net.learnable, on=self._debugs):
            self.updater.update(rate, self.iter)
        self.iter += 1
        return rate

    def test_all(self) -> None:
        """Test every test net, in order."""
        self._test_start = self._test_start or self._capture()
        for index in range(len(self.test_nets)):
            self.test(index)
            if self.stopping:
                return
        self._test_start = None

    def test(self, index: int) -> None:
        """Print the mean of each number of each output over test_iter batches of a test net."""
        log.info(report.testing(self.iter, index))
        net, debug = self.test_nets[index], self.param.debug_info
        for line in report.ignored(self.net.layer_names, net.layer_names):
            log.info(line)
        means = run_test(net, self.param.test_iter[index], self._may_go_on, debug=debug)
        if means is None:
            log.info("Test interrupted.")
            return
        self.journal.test(self.iter, index, net, means)
        if not means.outputs:  # test_iter is 0
            return
        if self._watched is not None and self._watched.net == index:
            self.updater.plateau.value = self._watched.cost(means.outputs)
        if self._keeper.is_best(index, means.outputs, self.iter):
            self._keeper.save_best(self.net, self._state())
            self._last_snapshot = self.iter

    def request(self, action: Action) -> None:
        """Ask for a snapshot or a stop, after this iteration or test batch; safe in a signal."""
        self._requests.add(action)

    def _answer_requests(self, *, snapshot: bool = False) -> None:
        actions = self._requests.take()
        self.stopping = self.stopping or Action.STOP in actions
        if snapshot or Action.SNAPSHOT in actions:
            self.snapshot()

    def _may_go_on(self) -> bool:
        self._answer_requests()
        return not self.stopping

    def snapshot(self) -> None:
        """Write PREFIX_iter_N.caffemodel and PREFIX_iter_N.solverstate.

        Raises:
            SnapshotError: a file cannot be written, or a parameter is nan or infinite.
        """
        self._keeper.save(self.net, self._state())
        self._last_snapshot = self.iter

    def _state(self) -> SolverState:
        return state_of(self.iter, self.updater, self._test_start or self._capture())

    def _capture(self) -> RunState:
        places = [place_of(net) for net in (self.net, *self.test_nets)]
        return capture(places, self._losses, self.updater.plateau, self.seed, self.device)

    def restore(self, path: str | Path) -> None:
        """Go on from a .solverstate, also .h5, and its weights, beside it or where it says.

        One that Caffe wrote holds no data position: the data starts over.

        Raises:
            ParseError, SnapshotError, WeightsError: a file is missing, broken, or of another solver.
        """
        state = take_up(path, self.net, self.updater)
        self.iter = self._last_snapshot = state.iter
        self.updater.plateau = kept_plateau(state)
        if state.HasField("run"):
            self.seed = state.run.random_seed
            self._keeper.recall(state.run)
            self._restored_losses = list(state.run.losses)
            self._losses.extend(self._restored_losses)
            recall(state.run, self.net, self.test_nets, self.device)
