"""`python -m caffepy.pycaffe`: runs a script of pycaffe's as it is."""

from caffepy.pycaffe.script import main

if __name__ == "__main__":
    main()
