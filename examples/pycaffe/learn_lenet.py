"""A small LeNet learns digits: nets and solver written in Python, and a loop of one's own.

Writes the net to deploy and the weights that other scripts of this folder start from.
"""

import caffe
import digits
import lmdb
import numpy as np
from caffe import layers as L
from caffe import params as P
from caffe.proto import caffe_pb2

STEPS, TEST_EVERY = 120, 40


def write_database(part: str) -> str:
    """The images of a part as an LMDB of Datums; its path."""
    path = str(digits.OUT / f"{part}_lmdb")
    images, labels = digits.load(part)
    with lmdb.open(path, map_size=1 << 28) as database, database.begin(write=True) as records:
        for number, (image, label) in enumerate(zip(images, labels, strict=True)):
            datum = caffe.io.array_to_datum(image.astype(np.uint8), int(label))
            records.put(f"{number:08}".encode(), datum.SerializeToString())
    return path


def add_lenet(n: caffe.NetSpec) -> None:
    """From the blob `data` of a net to a score for each digit in `ip2`."""
    xavier = {"weight_filler": {"type": "xavier"}}
    n.conv1 = L.Convolution(n.data, kernel_size=5, num_output=20, **xavier)
    n.pool1 = L.Pooling(n.conv1, kernel_size=2, stride=2, pool=P.Pooling.MAX)
    n.conv2 = L.Convolution(n.pool1, kernel_size=3, num_output=50, **xavier)
    n.pool2 = L.Pooling(n.conv2, kernel_size=2, stride=2, pool=P.Pooling.MAX)
    n.ip1 = L.InnerProduct(n.pool2, num_output=100, **xavier)
    n.relu1 = L.ReLU(n.ip1, in_place=True)
    n.ip2 = L.InnerProduct(n.ip1, num_output=10, **xavier)


def net_to_learn(part: str, batch_size: int) -> str:
    """The path of a net that reads a part of the digits, and ends in accuracy and loss."""
    n = caffe.NetSpec()
    n.data, n.label = L.Data(
        source=write_database(part),
        backend=P.Data.LMDB,
        batch_size=batch_size,
        transform_param={"mean_value": digits.MEAN, "scale": digits.SCALE},
        ntop=2,
    )
    add_lenet(n)
    n.accuracy = L.Accuracy(n.ip2, n.label)
    n.loss = L.SoftmaxWithLoss(n.ip2, n.label)
    return digits.write(f"lenet_{part}", n.to_proto())


def write_net_to_deploy() -> None:
    """The same net for images that a script gives it, one at a time."""
    n = caffe.NetSpec()
    n.data = L.Input(shape={"dim": [1, 1, digits.SIDE, digits.SIDE]})
    add_lenet(n)
    n.prob = L.Softmax(n.ip2)
    digits.write("lenet_deploy", n.to_proto())


settings = caffe_pb2.SolverParameter(
    train_net=net_to_learn("train", 32),
    test_net=[net_to_learn("test", 90)],
    # Tests are made below, not by the solver: it would make the first after the last step.
    test_iter=[4],
    test_interval=STEPS + 1,
    test_initialization=False,
    max_iter=STEPS,
    base_lr=0.05,
    lr_policy="inv",
    gamma=0.001,
    power=0.75,
    momentum=0.9,
    weight_decay=0.0005,
    random_seed=1,
)
solver_file = digits.write("lenet_solver", settings)
solver = caffe.get_solver(solver_file)
for name, blob in solver.net.blobs.items():
    print(f"{name:8} {blob.data.shape}")

losses, accuracies = np.zeros(STEPS), []
for step in range(STEPS):
    solver.step(1)
    losses[step] = solver.net.blobs["loss"].data
    if solver.iter % TEST_EVERY == 0:
        # 4 batches of 90 are all images to test with
        batches = [solver.test_nets[0].forward()["accuracy"].item() for _ in range(4)]
        accuracies.append(np.mean(batches))
        print(f"after {solver.iter} steps: accuracy {accuracies[-1]:.3f}")
print(f"loss of the first 5 steps {losses[:5].mean():.3f}, of the last 5 {losses[-5:].mean():.3f}")

write_net_to_deploy()
solver.net.save(digits.WEIGHTS)
