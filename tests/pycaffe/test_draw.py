"""caffe.draw has the names that scripts use."""

from caffepy.pycaffe import draw


def test_the_names_are_pycaffes() -> None:
    names = (
        "choose_color_by_layertype draw_net draw_net_to_file get_edge_label get_layer_label "
        "get_layer_lr_mult get_pooling_types_dict get_pydot_graph"
    )

    assert [name for name in dir(draw) if not name.startswith("_")] == names.split()
