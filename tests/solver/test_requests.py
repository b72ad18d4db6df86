import signal

from caffepy.solver.requests import Action, Requests


def test_what_was_asked_for_is_taken_once() -> None:
    requests = Requests()
    for action in [Action.SNAPSHOT, Action.STOP, Action.SNAPSHOT]:
        requests.add(action)

    assert requests.take() == {Action.SNAPSHOT, Action.STOP}
    assert requests.take() == set()


def test_a_signal_may_ask_while_requests_are_taken() -> None:
    requests = Requests()
    before = signal.signal(signal.SIGALRM, lambda *_: requests.add(Action.STOP))
    taken = 0
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.001, 0.0005)
        while taken < 20:
            taken += len(requests.take())
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert taken >= 20
