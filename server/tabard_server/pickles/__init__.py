# SPDX-License-Identifier: Apache-2.0
"""Pickled files, read in a sandbox: a process that can neither run, write, open nor send anything.

`reader` is the side that asks; `__main__` is the program inside, which seals itself by `sandbox`
before it takes the first byte, and turns what it finds into safetensors by `contents`.
"""
