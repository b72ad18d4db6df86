#!/usr/bin/env bash
# The main job on scikit-learn's digits: images, databases, training, test, prediction.
# Prints each command as one would type it at the top of the project; all it writes is in demo/.
set -eo pipefail
exec 2>&1
cd "$(dirname "$0")/../.."

run() {
  printf '\n$ %s\n' "$1"
  eval "$1"
}

rm -rf demo
mkdir demo
run 'python examples/digits/make_images.py demo/digits'
run 'caffepy convert_imageset -gray -resize_height 28 -resize_width 28 demo/digits/ demo/digits/train.txt demo/train_lmdb'
run 'caffepy convert_imageset -gray -resize_height 28 -resize_width 28 demo/digits/ demo/digits/test.txt demo/test_lmdb'
run "caffepy train -solver examples/digits/solver.prototxt 2>&1 | tee demo/train.log | grep -E 'accuracy = |, loss'"
run "caffepy test -model examples/digits/lenet_train_test.prototxt -weights demo/lenet_iter_400.caffemodel -iterations 4 2>&1 | tee demo/test.log | grep -A 99 Running"
run 'caffepy classify demo/digits/7/0663.png demo/digits/8/0158.png -model examples/digits/lenet_deploy.prototxt -weights demo/lenet_iter_400.caffemodel -labels examples/digits/labels.txt -scale 0.00390625'
printf '\ntest accuracy = %.4f\n' "$(sed -n 's/.*\] accuracy = //p' demo/test.log)"
