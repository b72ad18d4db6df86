"""The database that a verb reads, and `--backend`."""

import argparse

from caffepy.data.database import BACKENDS, Database, open_database


def add_database(parser: argparse.ArgumentParser) -> None:
    """Declare the database and --backend."""
    parser.add_argument("database", metavar="INPUT_DB", help="the database's folder")
    parser.add_argument(
        "--backend",
        choices=BACKENDS,
        help="kind of database (left out: found out from the folder)",
    )


def named_database(args: argparse.Namespace) -> Database:
    """The database; DataError where there is none, or another kind than --backend says."""
    backend = None if args.backend is None else BACKENDS[args.backend]
    return open_database(args.database, backend, "--backend")
