"""caffe.Classifier: a net that says what images show."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from caffepy.proto import TEST
from caffepy.pycaffe.images import Dims, Floats, Numbers, check_crop, oversample, resize_image
from caffepy.pycaffe.net import Net
from caffepy.pycaffe.scoring import input_transformer, scores


class Classifier(Net):
    """A Net with weights, and what is to be done to images (H, W, K) before it.

    They are resized to `image_dims`, (height, width), that of the input where left out, cropped to
    the input, and then turned into it by `transformer`: see Transformer for mean, scales and
    channel_swap. For Caffe's models and `load_image`, raw_scale is 255 and channel_swap (2, 1, 0).

    Raises:
        CaffeError: a file is wrong, or the net takes no images.
        InputError: `mean` does not fit the input, or the input does not fit into `image_dims`.
    """

    def __init__(  # noqa: PLR0913 - pycaffe's signature
        self,
        model_file: str | Path,
        pretrained_file: str | Path,
        image_dims: Dims | None = None,
        mean: Numbers | None = None,
        input_scale: float | None = None,
        raw_scale: float | None = None,
        channel_swap: Sequence[int] | None = None,
    ) -> None:
        super().__init__(model_file, TEST, weights=pretrained_file)
        self.transformer = input_transformer(self, mean, input_scale, raw_scale, channel_swap)
        self.crop_dims = np.array(self.blobs[self.inputs[0]].shape[2:])
        self.image_dims: Dims = self.crop_dims if image_dims is None else image_dims
        check_crop(self.image_dims, self.crop_dims)

    def predict(self, inputs: Iterable[Numbers], oversample: bool = True) -> Floats:
        """The scores of N images (H, W, K), of any size: (N, C), by the net's first output.

        oversample: the mean over ten crops, as of `caffe.io.oversample`; else the centre alone, and
        the output as it is.

        Raises:
            DataError: an image has not the channels of the net, or there is none.
        """
        crops = (crop for image in inputs for crop in self._crops(image, oversample))
        predictions = scores(self, self.transformer, crops)
        if not oversample:
            return predictions
        mean: Floats = predictions.reshape(len(predictions) // 10, 10, -1).mean(1)
        return mean

    def _crops(self, image: Numbers, ten: bool) -> Floats:
        resized = resize_image(image, self.image_dims)
        if ten:
            return oversample([resized], self.crop_dims)
        top, left = (spare // 2 for spare in check_crop(self.image_dims, self.crop_dims))
        height, width = self.crop_dims
        return resized[None, top : top + height, left : left + width]
