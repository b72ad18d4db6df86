import argparse
from pathlib import Path

import pytest

from caffepy.cli.database import add_database, named_database
from caffepy.data.leveldb import LevelDB
from caffepy.data.lmdb import LMDB
from caffepy.errors import DataError
from caffepy.proto import DataParameter
from tests.data.databases import write_records


def parse(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_database(parser)
    return parser.parse_args(words)


@pytest.mark.parametrize("flag", [[], ["--backend"]], ids=["found out", "named"])
@pytest.mark.parametrize(
    ("name", "backend", "kind"),
    [("lmdb", DataParameter.LMDB, LMDB), ("leveldb", DataParameter.LEVELDB, LevelDB)],
    ids=["lmdb", "leveldb"],
)
def test_opens_either_kind(
    tmp_path: Path, flag: list[str], name: str, backend: DataParameter.DB, kind: type
) -> None:
    path = write_records(tmp_path / "db", 4, backend=backend)

    database = named_database(parse(str(path), *flag, *[name for _ in flag]))

    assert isinstance(database, kind)
    assert len(database) == 4


def test_refuses_another_kind_than_is_named(tmp_path: Path) -> None:
    path = write_records(tmp_path / "db", backend=DataParameter.LMDB)

    with pytest.raises(DataError, match=r"--backend is LEVELDB, but .*db is a database of backend"):
        named_database(parse(str(path), "--backend=leveldb"))
