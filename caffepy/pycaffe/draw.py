"""caffe.draw: nets as graphs of layers and blobs."""

from caffepy.graph.draw import choose_color_by_layertype as choose_color_by_layertype
from caffepy.graph.draw import draw_net as draw_net
from caffepy.graph.draw import draw_net_to_file as draw_net_to_file
from caffepy.graph.draw import get_edge_label as get_edge_label
from caffepy.graph.draw import get_layer_label as get_layer_label
from caffepy.graph.draw import get_layer_lr_mult as get_layer_lr_mult
from caffepy.graph.draw import get_pooling_types_dict as get_pooling_types_dict
from caffepy.graph.draw import get_pydot_graph as get_pydot_graph
