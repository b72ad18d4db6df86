"""Compiles the messages of proto/ into caffepy/proto when the package is built or installed in place."""

from pathlib import Path

from grpc_tools import protoc
from setuptools import setup
from setuptools.command.build_py import build_py


class BuildPy(build_py):
    """`build_py`, after protoc."""

    def run(self) -> None:
        """Compile under a path of our own: a plain `caffe.proto` is any other Caffe's name."""
        names = [f"caffepy/proto/{path.name}" for path in sorted(Path("proto").glob("*.proto"))]
        if protoc.main(
            ["protoc", "-Icaffepy/proto=proto", "--python_out=.", "--pyi_out=.", *names]
        ):
            raise SystemExit("protoc failed")
        super().run()


setup(cmdclass={"build_py": BuildPy})
