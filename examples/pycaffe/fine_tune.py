"""Fine-tuning: layers get weights by name, some are frozen, and one is new.

Odd or even is learned from 64 images: once upon what learn_lenet.py learned about digits, once
upon random filters.
"""

import caffe
import digits
import numpy as np
from caffe.proto import caffe_pb2

STEPS, COUNT = 40, 64
FROZEN = ("conv1", "conv2")

# The net that was trained, with another last layer, under a name that the weights do not have.
param = digits.lenet_to_deploy()
param.layer[0].top.append("label")
param.layer[0].input_param.shape[0].dim[0] = COUNT
param.layer[0].input_param.shape.add(dim=[COUNT])
for layer in param.layer:
    if layer.name in FROZEN:
        layer.param.add(lr_mult=0)  # weights
        layer.param.add(lr_mult=0)  # bias
    if layer.name == "ip2":
        layer.name, layer.top[0] = "parity", "parity"
        layer.inner_product_param.num_output = 2
    if layer.name == "prob":
        layer.name = layer.top[0] = "loss"
        layer.type = "SoftmaxWithLoss"
        layer.bottom[:] = ["parity", "label"]
net_file = digits.write("parity", param)
settings = caffe_pb2.SolverParameter(
    train_net=net_file,
    max_iter=STEPS,
    base_lr=0.02,
    lr_policy="fixed",
    momentum=0.9,
    random_seed=1,
)
solver_file = digits.write("parity_solver", settings)

images, labels = digits.load("train")
tests, truths = digits.load("test")
for weights in (digits.WEIGHTS, None):
    solver = caffe.SGDSolver(solver_file)
    net = solver.net
    if weights is not None:
        net.copy_from(weights)
    before = {name: blobs[0].data.copy() for name, blobs in net.params.items()}
    net.blobs["data"].data[...] = digits.as_input(images[:COUNT])
    net.blobs["label"].data[...] = labels[:COUNT] % 2
    solver.step(STEPS)

    moved = [name for name in before if not np.array_equal(before[name], net.params[name][0].data)]
    score = net.forward_all(blobs=["parity"], data=digits.as_input(tests), label=truths % 2)[
        "parity"
    ]
    accuracy = np.mean(score.argmax(1) == truths % 2)
    print("from", weights or "nothing")
    print(f"  learned by {', '.join(moved)}: accuracy {accuracy:.3f}")
