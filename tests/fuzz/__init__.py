"""Damages reports at random, and says what must hold of whatever is read all the same.

It imports nothing: what is imported before the fuzzer starts is not watched by it.
"""
