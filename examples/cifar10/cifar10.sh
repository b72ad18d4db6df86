#!/usr/bin/env bash
# CIFAR-10 from image files to a trained net and its curve: databases, mean image, training, plot.
#
# usage: cifar10.sh SOURCE
#
# SOURCE is a folder with train/<class>/<image> and test/<class>/<image>, or a tar archive of it.
# Everything is written into the current folder. Each command is printed as one would type it.
set -eo pipefail
[ -e "$1" ] || { echo "usage: cifar10.sh SOURCE, a folder of train/ and test/ or a tar archive of it" >&2; exit 2; }
source=$(realpath "$1")
here=$(cd "$(dirname "$0")" && pwd)

run() {
  printf '\n$ %s\n' "$1"
  eval "$1"
}

if [ -f "$source" ]; then
  mkdir -p images
  run "tar xf '$source' -C images"
else
  ln -sfn "$source" images
fi
cp "$here"/*.prototxt .
run "python '$here/make_lists.py' images"
run 'caffepy convert_imageset -shuffle images/ train.txt cifar10_train_lmdb'
run 'caffepy convert_imageset images/ test.txt cifar10_test_lmdb'
run 'caffepy compute_image_mean cifar10_train_lmdb mean.binaryproto'
run "caffepy train -solver cifar10_quick_solver.prototxt 2>&1 | tee train.log | grep -E 'accuracy = |, loss'"
run 'caffepy plot_training_log 0 accuracy.png train.log'
