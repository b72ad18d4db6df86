"""ImageData: labelled images from the files that a list names."""

import logging

import numpy as np
from torch import Tensor

from caffepy.data.batches import Batches, Stream
from caffepy.data.chance import random_bits
from caffepy.data.image_files import ImageFiles
from caffepy.data.transform import Transform
from caffepy.layers.layer import Shape, Source, SourceLayer, register
from caffepy.layers.prefetch import prefetch_depth
from caffepy.proto import ImageDataParameter, LayerParameter

logger = logging.getLogger(__name__)

SKIP = np.array([2**64 - 1], np.uint64)  # the number that rand_skip draws by; no image has it


@register("ImageData")
class ImageData(SourceLayer):
    """Batches of image files, in the order of a list, beginning again at its end.

    A line of the list is `name label`; `root_folder` is put before the name as it is. Images are
    decoded each time, by several threads, with blue first, or to one channel where `is_color` is false,
    and resized where `new_height` and `new_width` are set. With `shuffle` each epoch has its own
    order; with `rand_skip` the first begins at a random place below it. Both are drawn from the
    seed of the run, and a run that goes on sees what an unbroken one would have seen.

    Tops:    data (N, C, h, w), transformed as transform_param says; h and w are crop_size, or those
             of the batch's first image, which the others must share;
             label (N,).
    Ranks:   in training, image r goes to rank r % world; else every rank reads all.
    Source:  caffe/src/caffe/layers/image_data_layer.cpp
    """

    def __init__(self, param: LayerParameter, source: Source) -> None:
        super().__init__(param, source)
        images = param.image_data_param
        self._check(images)
        depth = prefetch_depth(self)
        self._transform = Transform(
            param.transform_param, source.training, source.device, self.full_name
        )
        logger.info("Opening file %s", images.source)
        self._files = ImageFiles(
            images.source,
            images.root_folder,
            color=images.is_color,
            size=(images.new_height, images.new_width) if images.new_height else None,
            seed=source.seed if images.shuffle else None,
        )
        if images.shuffle:
            logger.info("Shuffling data")
        logger.info("A total of %d images.", len(self._files))
        skip = self._skip(images.rand_skip)
        self._stream = Stream(self._files, source.seed, *source.share, source.position, skip)
        self._batches = Batches(
            self._stream,
            self._transform,
            images.batch_size,
            depth,
            source.workers,
        )

    def _check(self, images: ImageDataParameter) -> None:
        if not images.source:
            raise self.error("source, a list of images, is missing", "image_data_param.source")
        if not images.batch_size:
            raise self.error("batch_size must be 1 or more; it is 0", "image_data_param.batch_size")
        if bool(images.new_height) != bool(images.new_width):
            raise self.error(
                f"new_height is {images.new_height} and new_width {images.new_width}; "
                "set both of them, or none",
                f"image_data_param.{'new_height' if images.new_height else 'new_width'}",
            )

    def _skip(self, bound: int) -> int:
        """How many images the first epoch passes over: less than `bound`, if that is not 0."""
        if bound > len(self._files):
            raise self.error(
                f"rand_skip is {bound}, but {self._files.source} has {len(self._files)} images; "
                "give no more than that",
                "image_data_param.rand_skip",
            )
        if not bound:
            return 0
        skip = int(random_bits(self.source.seed, SKIP)[0]) % bound
        logger.info("Skipping first %d data points.", skip)
        return skip

    @property
    def position(self) -> int:
        """How many images have been handed out, to all ranks together."""
        return self._batches.position

    def origin(self, item: int) -> str:
        """The record that an item of the last batch is."""
        return self._batches.origin(item)

    def read(self) -> tuple[Tensor, ...]:
        """The next batch, on `source.device`."""
        return self._batches.read()

    def top_shapes(self, *_bottoms: Shape) -> list[Shape]:
        """The shapes of the next batch, from its first image."""
        sample = self._files.sample(next(self._stream.items()))
        count = self.param.image_data_param.batch_size
        image = self._transform.window(sample.image.shape, sample.where)
        return [(count * self._transform.views, *image), (count,)]
