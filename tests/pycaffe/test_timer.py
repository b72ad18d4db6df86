import time

import caffepy.pycaffe as caffe


def test_a_timer_measures_from_start_to_stop() -> None:
    timer = caffe.Timer()
    assert timer.ms == 0

    timer.start()
    time.sleep(0.02)
    timer.stop()
    time.sleep(0.02)

    first = timer.ms
    assert first >= 20
    assert timer.ms == first


def test_asking_ends_the_measurement_and_a_start_begins_anew() -> None:
    timer = caffe.Timer()
    timer.start()
    time.sleep(0.03)
    assert timer.ms == timer.ms >= 30

    timer.start()
    timer.stop()

    assert timer.ms < 30
