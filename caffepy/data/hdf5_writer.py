"""An HDF5 file whose datasets grow row by row."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from caffepy.data.folder import check_target
from caffepy.data.hdf5 import import_h5py, open_hdf5
from caffepy.errors import DataError

if TYPE_CHECKING:
    import h5py


class HDF5Writer:
    """Rows appended to the datasets of a file, which the first rows make anew.

    The file is open only while rows are written, so that it is whole, and can be read, in between.

    DataError where h5py is not installed, or no file can have this name.
    """

    def __init__(self, path: str) -> None:
        self.path = Path(path).absolute()
        self._begun = False
        check_target(path)
        import_h5py(path)

    def append(self, **rows: NDArray[np.float32]) -> None:
        """Write the rows (n, *row) of each dataset, by name, behind those that are there.

        DataError where rows of a dataset have another shape than those before.
        """
        with open_hdf5(self.path, mode="a" if self._begun else "w") as file:
            for name, new in rows.items():
                self._check(file, name, new.shape[1:])
            for name, new in rows.items():
                if name not in file:
                    file.create_dataset(name, data=new, maxshape=(None, *new.shape[1:]))
                    continue
                dataset = file[name]
                dataset.resize(len(dataset) + len(new), axis=0)
                dataset[-len(new) :] = new
        self._begun = True

    def _check(self, file: "h5py.File", name: str, row: tuple[int, ...]) -> None:
        if name in file and file[name].shape[1:] != row:
            raise DataError(
                f"{self.path}: dataset {name!r} has rows of shape {file[name].shape[1:]}; cannot "
                f"append rows of shape {row}"
            )
