"""The parts of `make book`, one idea a module; `book/build.py` puts them together."""
