"""Nets that share weights, weights in HDF5, and arrays as the data of a net."""

import caffe
import digits
import numpy as np

images, labels = digits.load("test")
inputs = digits.as_input(images)

# forward_all takes any number of items, and cuts them into batches.
net = caffe.Net(digits.LENET, digits.WEIGHTS, caffe.TEST)
prob = net.forward_all(data=inputs)["prob"]
print("forward_all:", prob.shape)

# A MemoryData layer hands out arrays, here in batches of 90 with labels for an Accuracy.
param = digits.lenet_to_deploy()
data = param.layer[0]
data.Clear()
data.name, data.type = "data", "MemoryData"
data.top[:] = ["data", "label"]
data.memory_data_param.batch_size, data.memory_data_param.channels = 90, 1
data.memory_data_param.height = data.memory_data_param.width = digits.SIDE
param.layer.add(name="accuracy", type="Accuracy", bottom=["prob", "label"], top=["accuracy"])
path = digits.write("lenet_memory", param)
tested = caffe.Net(path, caffe.TEST)
tested.set_input_arrays(inputs, labels)

# It shares the weights of the first net: what changes there changes here.
tested.share_with(net)
accuracy = np.mean([tested.forward()["accuracy"].item() for _ in range(4)])
print("accuracy as forward_all says:", np.isclose(accuracy, np.mean(prob.argmax(1) == labels)))
net.save_hdf5(str(digits.OUT / "lenet.caffemodel.h5"))
for blob in net.params["ip2"]:
    blob.data[...] = 0
print("all classes alike:", np.ptp(tested.forward(blobs=["prob"])["prob"]) == 0)

# From HDF5 into both, since they share.
net.load_hdf5(str(digits.OUT / "lenet.caffemodel.h5"))
print("as before:", np.array_equal(net.forward_all(data=inputs)["prob"], prob))
print("shared:", np.shares_memory(net.params["ip2"][0].data, tested.params["ip2"][0].data))
