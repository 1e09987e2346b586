"""What differs between systems, each with what is done where a system lacks it.

No other file asks which system it runs on, or names what only some of them have. Linux, macOS and
Windows give the same results. What is weaker elsewhere than on Linux:

- Windows cannot read at a position: threads that read one file take turns.
- Windows moves and removes no open file: a descriptor is let go just before its file is moved, and
  the sweep of a folder leaves files alone that changed in the last minute, and folders for good.
- Windows has no lock that several share: a resumed run waits until nobody else has the journal
  open, and two that begin at the same instant are not told apart.
- Windows has no compiled loops: they need GCC or Clang and a `long` of 64 bits. NumPy's serve.
- Neither macOS nor Windows says cheaply when it was started: there every file of a batch is on the
  disk before the journal calls it done, instead of all at the end.
"""
