"""Layers of one's own, in numpy: data with a state, labels as vectors, and a loss to learn by."""

import json

import caffe
import digits
from caffe import layers as L
from caffe.proto import caffe_pb2

n = caffe.NetSpec()
n.data, n.label = L.Python(
    module="digit_layers", layer="Digits", param_str=json.dumps({"batch_size": 60}), ntop=2
)
n.target = L.Python(n.label, module="digit_layers", layer="OneHot")
n.score = L.InnerProduct(n.data, num_output=10, weight_filler={"type": "xavier"})
# Only layers whose type ends in Loss are losses by themselves: this one is told that it is.
n.loss = L.Python(n.score, n.target, module="digit_layers", layer="Euclidean", loss_weight=1)
n.accuracy = L.Accuracy(n.score, n.label, include={"phase": caffe.TEST})
net_file = digits.write("python_layers", n.to_proto())

settings = caffe_pb2.SolverParameter(
    net=net_file,
    test_iter=[6],
    test_interval=1000,  # tested below, not by the solver
    test_initialization=False,
    max_iter=100,
    base_lr=0.02,
    lr_policy="fixed",
    random_seed=1,
)
solver_file = digits.write("python_layers_solver", settings)
solver = caffe.get_solver(solver_file)

test = solver.test_nets[0]
for _ in range(2):
    solver.step(50)
    batches = [test.forward() for _ in range(6)]
    loss, accuracy = (sum(b[name].item() for b in batches) / 6 for name in ("loss", "accuracy"))
    print(f"after {solver.iter} steps: loss {loss:.3f}, accuracy {accuracy:.3f}")

# A Python layer in net.layers is the object itself, with its state.
reader, tester = solver.net.layers[0], test.layers[0]
print(f"training: epoch {reader.epoch}, image {reader.position} of {len(reader.order)}")
print(f"testing: epoch {tester.epoch}, image {tester.position} of {len(tester.order)}")
