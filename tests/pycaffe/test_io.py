"""caffe.io has the names that scripts use."""

import caffepy.pycaffe as caffe


def test_the_names_are_pycaffes() -> None:
    names = (
        "Transformer array_to_blobproto array_to_datum arraylist_to_blobprotovector_str "
        "blobproto_to_array blobprotovector_str_to_arraylist caffe_pb2 datum_to_array load_image "
        "oversample resize_image"
    )

    assert [name for name in dir(caffe.io) if not name.startswith("_")] == names.split()
