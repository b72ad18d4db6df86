"""Caffe's own Python module: `import caffepy.pycaffe as caffe`."""

import sys

from caffepy import proto as proto
from caffepy.blob import Blob as Blob
from caffepy.layers.layer import layer_types
from caffepy.layers.python import Layer as Layer
from caffepy.proto import TEST as TEST
from caffepy.proto import TRAIN as TRAIN
from caffepy.pycaffe import io as io
from caffepy.pycaffe.alias import install as install
from caffepy.pycaffe.classifier import Classifier as Classifier
from caffepy.pycaffe.detector import Detector as Detector
from caffepy.pycaffe.log import init_log as init_log
from caffepy.pycaffe.log import log as log
from caffepy.pycaffe.mode import set_device as set_device
from caffepy.pycaffe.mode import set_mode_cpu as set_mode_cpu
from caffepy.pycaffe.mode import set_mode_gpu as set_mode_gpu
from caffepy.pycaffe.mode import set_multiprocess as set_multiprocess
from caffepy.pycaffe.mode import set_random_seed as set_random_seed
from caffepy.pycaffe.mode import set_solver_count as set_solver_count
from caffepy.pycaffe.mode import set_solver_rank as set_solver_rank
from caffepy.pycaffe.mode import solver_count as solver_count
from caffepy.pycaffe.mode import solver_rank as solver_rank
from caffepy.pycaffe.nccl import NCCL as NCCL
from caffepy.pycaffe.nccl import has_nccl as has_nccl
from caffepy.pycaffe.net import Net as Net
from caffepy.pycaffe.net_spec import NetSpec as NetSpec
from caffepy.pycaffe.net_spec import layers as layers
from caffepy.pycaffe.net_spec import params as params
from caffepy.pycaffe.net_spec import to_proto as to_proto
from caffepy.pycaffe.solver import AdaDeltaSolver as AdaDeltaSolver
from caffepy.pycaffe.solver import AdaGradSolver as AdaGradSolver
from caffepy.pycaffe.solver import AdamSolver as AdamSolver
from caffepy.pycaffe.solver import NesterovSolver as NesterovSolver
from caffepy.pycaffe.solver import RMSPropSolver as RMSPropSolver
from caffepy.pycaffe.solver import SGDSolver as SGDSolver
from caffepy.pycaffe.solver import get_solver as get_solver
from caffepy.pycaffe.timer import Timer as Timer

# Where scripts look for what is here, since it is there in Caffe.
pycaffe = _caffe = sys.modules[__name__]
layer_type_list = layer_types  # pycaffe's name for it
__version__ = "1.0.0"  # of the Caffe whose interface this is
