"""WindowData: windows of images, objects and background, as R-CNN trains on."""

import logging
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from caffepy.data.ahead import Ahead
from caffepy.data.transform import read_mean, sized
from caffepy.data.window_crop import WindowCrop
from caffepy.data.window_list import WindowList, read_windows
from caffepy.data.windows import CHANNELS, WindowSampler, keep
from caffepy.errors import DataError, near
from caffepy.layers.layer import Shape, Source, SourceLayer, register
from caffepy.layers.prefetch import prefetch_depth
from caffepy.proto import LayerParameter

logger = logging.getLogger(__name__)

CROP_MODES = ("warp", "square")


@register("WindowData")
class WindowData(SourceLayer):
    """Windows of images, drawn with replacement: background first, then objects.

    The window file says which windows there are. Those whose overlap is fg_threshold or more are
    objects, those below bg_threshold background, of class 0; of N windows in a batch
    floor(N fg_fraction) are objects. A window is cut out of its image, decoded in colour with blue
    first, and resized to the crop: all of it ("warp"), or the square around it ("square"), grown so
    that `context_pad` pixels of the crop show surroundings on each side. What lies outside the
    image is 0; the rest is (pixel - mean) * scale. A mean image is subtracted from its offset
    (width - crop_size) / 2 on, in rows too, and is not mirrored with the window. `cache_images`
    keeps the files in memory. Batch b of a seed has the same windows whenever it is asked for.

    crop_size, mirror, mean_file and mean_value are those of transform_param; scale is that of
    window_data_param, as in Caffe.

    Tops:    data (N, 3, crop_size, crop_size); label (N,), the classes.
    Ranks:   in training, batch b goes to rank b % world; else every rank reads all.
    Source:  caffe/src/caffe/layers/window_data_layer.cpp
    """

    def __init__(self, param: LayerParameter, source: Source) -> None:
        super().__init__(param, source)
        self._check()
        crop = self._crop()
        depth = prefetch_depth(self)
        mean = self._mean(crop.crop)
        windows = param.window_data_param
        self._size = windows.batch_size
        found = self._read()
        self._sampler = WindowSampler(
            windows=found,
            crop=crop,
            mean=mean,
            scale=windows.scale,
            mirror=param.transform_param.mirror,
            size=self._size,
            objects=self._objects(found),
            seed=source.seed,
            files=keep(found.images) if windows.cache_images else [],
        )
        rank, self._world = source.share
        self._position = source.position
        pool = ThreadPoolExecutor(source.workers, "decoder")
        first = source.position // self._size + rank
        self._ahead = Ahead(self._sampler.batches(first, self._world, pool), depth)

    def _check(self) -> None:
        windows = self.param.window_data_param
        if not windows.source:
            raise self.error("source, a window file, is missing", "window_data_param.source")
        if not windows.batch_size:
            raise self.error(
                "batch_size must be 1 or more; it is 0 or missing", "window_data_param.batch_size"
            )
        if not 0 <= windows.fg_fraction <= 1:
            raise self.error(
                f"fg_fraction is {windows.fg_fraction:g}; 0 to 1 is allowed",
                "window_data_param.fg_fraction",
            )

    def _crop(self) -> WindowCrop:
        windows, crop = self.param.window_data_param, self.param.transform_param.crop_size
        if not crop:
            raise self.error(
                "transform_param.crop_size, the side of a crop, must be 1 or more; it is 0 or "
                "missing",
                "transform_param.crop_size",
            )
        if windows.crop_mode not in CROP_MODES:
            raise self.error(
                f"crop_mode is {windows.crop_mode!r}; allowed are {' and '.join(CROP_MODES)}"
                f"{near(windows.crop_mode, CROP_MODES)}",
                "window_data_param.crop_mode",
            )
        if 2 * windows.context_pad >= crop:
            raise self.error(
                f"context_pad is {windows.context_pad} on each side of a crop of {crop} pixels; "
                "it must leave some of them",
                "window_data_param.context_pad",
            )
        return WindowCrop(crop, windows.context_pad, windows.crop_mode == "square")

    def _mean(self, crop: int) -> NDArray[np.float32]:
        """What is subtracted from each crop, in a shape that expands to (3, crop, crop)."""
        transform = self.param.transform_param
        values = np.array(transform.mean_value, np.float32)
        if not transform.HasField("mean_file"):
            if len(values) not in (0, 1, CHANNELS):
                raise self.error(
                    f"{len(values)} mean_values; give 1 or {CHANNELS}", "transform_param.mean_value"
                )
            return values[:, None, None] if len(values) else np.zeros((1, 1, 1), np.float32)
        if len(values):
            raise self.error("mean_file and mean_value are both set", "transform_param.mean_value")
        mean = read_mean(transform.mean_file).numpy()
        offset = (mean.shape[2] - crop) // 2
        if mean.shape[0] != CHANNELS or offset < 0 or offset + crop > mean.shape[1]:
            raise DataError(
                f"{self.full_name}: the mean in {transform.mean_file} is {sized(mean.shape)}; a "
                f"crop of {CHANNELS}x{crop}x{crop} does not fit into it"
            )
        return mean[:, offset : offset + crop, offset : offset + crop]

    def _read(self) -> WindowList:
        windows = self.param.window_data_param
        found = read_windows(
            windows.source, windows.root_folder, windows.fg_threshold, windows.bg_threshold
        )
        logger.info("Number of images: %d", len(found.images))
        classes, counts = np.unique(found.foreground[:, 1], return_counts=True)
        for name, count in zip((0, *classes), (len(found.background), *counts), strict=True):
            logger.info("class %d has %d samples", name, count)
        return found

    def _objects(self, found: WindowList) -> int:
        """How many windows of a batch are objects; DataError where there are none to draw."""
        windows = self.param.window_data_param
        objects = int(np.float32(windows.batch_size) * np.float32(windows.fg_fraction))
        if objects and not len(found.foreground):
            raise DataError(
                f"{windows.source}: no windows of objects: none has an overlap of "
                f"{windows.fg_threshold:g} (fg_threshold) or more"
            )
        if objects < windows.batch_size and not len(found.background):
            raise DataError(
                f"{windows.source}: no windows of background: none has an overlap below "
                f"{windows.bg_threshold:g} (bg_threshold)"
            )
        return objects

    @property
    def position(self) -> int:
        """How many windows have been handed out, to all ranks together."""
        return self._position

    def read(self) -> tuple[Tensor, ...]:
        """The next batch, on `source.device`."""
        data, labels = self._ahead.read()
        self._position += self._size * self._world
        return data.to(self.source.device), labels.to(self.source.device)

    def top_shapes(self, *_bottoms: Shape) -> list[Shape]:
        """The shapes of the tops, from the message."""
        crop = self.param.transform_param.crop_size
        return [(self._size, CHANNELS, crop, crop), (self._size,)]
