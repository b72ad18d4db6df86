"""The image files that a list names, as a collection of labelled images."""

from collections.abc import Iterator, Sequence
from os import PathLike

from caffepy.data.batches import Sample
from caffepy.data.image_list import Entry, read_list
from caffepy.data.images import Pixels, decode_image, decode_resized
from caffepy.data.order import Order
from caffepy.errors import DataError


class ImageFiles:
    """The images of a list, decoded each time they are asked for.

    Args:
        source: a text list, a line `name label` for each image.
        folder: put before each name as it is.
        color: whether images have 3 channels, blue first, or 1.
        size: the rows and columns that all are resized to; None leaves them as they are.
        seed: of the order of each epoch, which is drawn from (seed, epoch) alone; None keeps to
            the order of the list.

    Raises:
        DataError: the list is missing, empty or wrong; the message names its line.
    """

    def __init__(
        self,
        source: str | PathLike[str],
        folder: str,
        *,
        color: bool,
        size: tuple[int, int] | None,
        seed: int | None,
    ) -> None:
        self.source = source
        self.folder = folder
        self.color = color
        self.size = size
        self.entries = read_list(source)
        self._order = Order(len(self.entries), seed)

    def __len__(self) -> int:
        return len(self.entries)

    def epoch(self, number: int) -> int:
        """In which epoch the image of a number is; the first is 0."""
        return number // len(self.entries)

    def items(self, start: int, step: int) -> Iterator[Entry]:
        """Every `step`th image from number `start` on, epoch after epoch; without end."""
        for place in self._order.places(start, step):
            yield self.entries[place]

    def name(self, entry: Entry) -> str:
        """Its line in the list, and its path."""
        return f"{self.source}:{entry.line}: {self.folder + entry.name!r}"

    def load(self, entries: Sequence[Entry]) -> list[Sample]:
        """The images and labels of entries."""
        return [self.sample(entry) for entry in entries]

    def sample(self, entry: Entry) -> Sample:
        """One image, uint8, and its label; DataError, naming line and path, if it is unreadable."""
        path = self.folder + entry.name
        where = f"{self.source}:{entry.line}"
        try:
            pixels = self._decode(path)
        except DataError as error:
            raise DataError(f"{where}: could not load {error}") from error
        return Sample(pixels.transpose(2, 0, 1), entry.label, self.name(entry))

    def _decode(self, path: str) -> Pixels:
        """The pixels of a file, in the size that all get."""
        size = self.size
        if size is None:
            return decode_image(path, self.color)
        return decode_resized(path, lambda *_: size, self.color)
