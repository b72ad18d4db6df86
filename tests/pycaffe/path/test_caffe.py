import subprocess
import sys
from pathlib import Path

from caffepy.pycaffe.alias import FOLDER

PROGRAM = f"""
import sys
sys.path.append({FOLDER!r})
import caffe
import caffe.proto.caffe_pb2
import caffepy.pycaffe
assert caffe is caffepy.pycaffe
print(caffe.Net.__module__)
"""


def test_a_process_with_the_folder_on_its_path_finds_caffepy(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=tmp_path, capture_output=True, text=True, check=True
    )

    assert done.stdout == "caffepy.pycaffe.net\n"
