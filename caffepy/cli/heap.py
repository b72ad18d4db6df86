"""The heap of a program: what one iteration frees, or one image, the next one takes."""

import ctypes
import sys

# Parameters of mallopt and its largest value, from glibc's malloc.h.
TRIM_THRESHOLD, MMAP_THRESHOLD, LARGEST = -1, -3, 2**31 - 1


def keep_freed_memory() -> None:
    """Let malloc keep blocks below 2 GB that are freed, where it is glibc's, which can.

    By itself it returns large ones to the system, and the next tensor of that size gets pages that
    the system has to clear first: about a tenth of LeNet's iterations on two cores of a CPU, and a
    twentieth of what converting an image takes. It is for the whole process, so that programs do it
    and the library does not.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(MMAP_THRESHOLD, LARGEST)
        mallopt(TRIM_THRESHOLD, LARGEST)
