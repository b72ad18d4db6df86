"""`caffepy compute_image_pca`: how the colours of a database vary."""

import argparse

from caffepy.cli.database import add_database, named_database
from caffepy.cli.progress import counted
from caffepy.data.folder import check_target
from caffepy.data.pca import HEADER, compute_pca, write_pca

EPILOG = f"""\
example:
  caffepy compute_image_pca train_lmdb lighting.txt

Writes and prints what AlexNet's change of lighting needs: of the covariance of all pixels, blue,
green and red from 0 to 255, the eigenvalues and eigenvectors, the largest first:

{HEADER}
eigenvalue b g r
eigenvalue b g r
eigenvalue b g r

An eigenvalue is the variance along its unit vector (b, g, r). Images may differ in size.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the database and the file."""
    parser.epilog = EPILOG
    add_database(parser)
    parser.add_argument("target", metavar="OUTPUT_FILE", help="the text file to write")


def run(args: argparse.Namespace) -> int:
    """Compute, write, and print the file."""
    database = named_database(args)
    check_target(args.target)
    with counted("images") as progress:
        pca = compute_pca(database, progress)
    write_pca(args.target, pca)
    for value, vector in zip(pca.values.tolist(), pca.vectors.tolist(), strict=True):
        print(f"{value:.6g} along (b, g, r) = ({', '.join(f'{each:.4f}' for each in vector)})")
    return 0
