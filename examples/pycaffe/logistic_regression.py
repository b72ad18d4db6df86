"""Logistic regression on rows of an HDF5 file, and a net with one hidden layer on the same."""

import caffe
import digits
import h5py
import numpy as np
from caffe import layers as L
from caffe.proto import caffe_pb2

TRAIN_ROWS, TEST_ROWS, BATCH = 1000, 500, 50
STEPS = 300

# Four numbers a row. The first decides, and so does whether the other two that count agree.
random = np.random.default_rng(3)
rows = random.standard_normal((TRAIN_ROWS + TEST_ROWS, 4)).astype(np.float32)
labels = (rows[:, 0] + 2 * rows[:, 1] * rows[:, 2] > 0).astype(np.float32)
parts = {"train": slice(TRAIN_ROWS), "test": slice(TRAIN_ROWS, None)}
for part, where in parts.items():
    with h5py.File(digits.OUT / f"{part}.h5", "w") as file:
        file["data"], file["label"] = rows[where], labels[where]
    (digits.OUT / f"{part}_h5.txt").write_text(f"{digits.OUT / part}.h5\n")


def write_net(kind: str, part: str, hidden: int) -> str:
    """The path of a net over a part of the rows, with `hidden` units between, or none."""
    n = caffe.NetSpec()
    n.data, n.label = L.HDF5Data(
        source=str(digits.OUT / f"{part}_h5.txt"), batch_size=BATCH, ntop=2
    )
    xavier = {"type": "xavier"}
    if hidden:
        n.ip1 = L.InnerProduct(n.data, num_output=hidden, weight_filler=xavier)
        n.relu1 = L.ReLU(n.ip1, in_place=True)
    n.score = L.InnerProduct(n.ip1 if hidden else n.data, num_output=2, weight_filler=xavier)
    n.accuracy = L.Accuracy(n.score, n.label)
    n.loss = L.SoftmaxWithLoss(n.score, n.label)
    return digits.write(f"{kind}_{part}", n.to_proto())


for kind, hidden in (("logistic", 0), ("hidden", 20)):
    settings = caffe_pb2.SolverParameter(
        train_net=write_net(kind, "train", hidden),
        test_net=[write_net(kind, "test", hidden)],
        test_iter=[TEST_ROWS // BATCH],
        test_interval=1000,  # tested below, not by the solver
        test_initialization=False,
        max_iter=STEPS,
        base_lr=0.1,
        lr_policy="step",
        gamma=0.1,
        stepsize=200,
        momentum=0.9,
        weight_decay=0.0005,
        random_seed=1,
    )
    solver_file = digits.write(f"{kind}_solver", settings)
    solver = caffe.get_solver(solver_file)
    solver.step(STEPS)
    test = solver.test_nets[0]
    batches = [test.forward()["accuracy"].item() for _ in range(TEST_ROWS // BATCH)]
    print(f"{kind}: accuracy {np.mean(batches):.3f}")
