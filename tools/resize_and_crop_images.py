#!/usr/bin/env python3
"""resize_and_crop_images.py --input_folder FOLDER --output_folder FOLDER: `caffepy resize_and_crop_images`."""

import sys

from caffepy.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["resize_and_crop_images", *sys.argv[1:]]))
