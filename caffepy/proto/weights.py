"""Weights of any Caffe: the names, types and blobs of a caffemodel, read in place."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from caffepy.errors import ParseError, WeightsError
from caffepy.proto.arrays import read_blob
from caffepy.proto.caffe_pb2 import SolverState, V1LayerParameter
from caffepy.proto.files import HDF5_SIGNATURE, is_prototxt, unreadable
from caffepy.proto.weights_pb2 import Layer, Net, V0Layer, V1Layer
from caffepy.proto.wire import Fields, read_fields


class LayerWeights(NamedTuple):
    """One layer of a file of weights.

    type: as the file says it: "Convolution", or "CONVOLUTION" and "conv" in old formats.
    blobs: in Caffe's order; views of the file's bytes, maybe unaligned: copy before computing.
    """

    name: str
    type: str
    blobs: list[NDArray[np.float32]]


def read_weights(path: str | Path) -> list[LayerWeights]:
    """Read every layer of a .caffemodel, those without blobs as well, in the order of the file.

    Old formats are read, and forks': fields that proto/weights.proto does not name are skipped.

    Raises:
        WeightsError: a file that cannot be read, is cut short, or is something else.
    """
    data = _read(path)
    try:
        net = read_fields(data)
        _check_is_net(net)
        return list(_layers(net))
    except ParseError as error:
        raise WeightsError(f"{path} ({len(data)} bytes): {error}") from error


def _read(path: str | Path) -> memoryview:
    """The bytes of a file, writable, since torch takes no others."""
    try:
        data = np.fromfile(path, np.uint8)
    except OSError as error:
        raise WeightsError(unreadable(path, error)) from error
    start = data[:512].tobytes()
    if not start:
        raise WeightsError(f"{path}: the file is empty, a caffemodel is expected")
    if start.startswith(HDF5_SIGNATURE):
        raise WeightsError(f"{path}: this is HDF5, a binary caffemodel is expected")
    if is_prototxt(start):
        raise WeightsError(f"{path}: this is a text file (a prototxt?), a caffemodel is expected")
    return data.data


def _check_is_net(net: Fields) -> None:
    if SolverState.ITER_FIELD_NUMBER in net.ints and SolverState.HISTORY_FIELD_NUMBER in net.views:
        learned = net.text(SolverState.LEARNED_NET_FIELD_NUMBER)
        raise ParseError(f"this is a solverstate; the weights that belong to it are in {learned!r}")
    if not {Net.LAYER_FIELD_NUMBER, Net.LAYERS_FIELD_NUMBER} & set(net.views):
        raise ParseError("there is no layer in it; a caffemodel is expected")


def _layers(net: Fields) -> Iterator[LayerWeights]:
    for view in net.views.get(Net.LAYERS_FIELD_NUMBER, []):
        fields = read_fields(view)
        inner = fields.views.get(V1Layer.LAYER_FIELD_NUMBER)
        yield _v1_layer(fields) if inner is None else _v0_layer(read_fields(inner[-1]))
    for view in net.views.get(Net.LAYER_FIELD_NUMBER, []):
        yield _layer(read_fields(view))


def _layer(fields: Fields) -> LayerWeights:
    name = fields.text(Layer.NAME_FIELD_NUMBER)
    blobs = fields.views.get(Layer.BLOBS_FIELD_NUMBER, [])
    return LayerWeights(name, fields.text(Layer.TYPE_FIELD_NUMBER), _blobs(name, blobs))


def _v1_layer(fields: Fields) -> LayerWeights:
    name = fields.text(V1Layer.NAME_FIELD_NUMBER)
    blobs = fields.views.get(V1Layer.BLOBS_FIELD_NUMBER, [])
    number = fields.ints.get(V1Layer.TYPE_FIELD_NUMBER, [V1LayerParameter.NONE])[-1]
    known = V1LayerParameter.LayerType.DESCRIPTOR.values_by_number.get(number)
    return LayerWeights(name, str(number) if known is None else known.name, _blobs(name, blobs))


def _v0_layer(fields: Fields) -> LayerWeights:
    name = fields.text(V0Layer.NAME_FIELD_NUMBER)
    blobs = fields.views.get(V0Layer.BLOBS_FIELD_NUMBER, [])
    return LayerWeights(name, fields.text(V0Layer.TYPE_FIELD_NUMBER), _blobs(name, blobs))


def _blobs(layer: str, views: list[memoryview]) -> list[NDArray[np.float32]]:
    blobs = []
    for index, view in enumerate(views):
        try:
            blobs.append(read_blob(view))
        except ParseError as error:
            raise ParseError(f"blob {index} of layer {layer!r}: {error}") from error
    return blobs
