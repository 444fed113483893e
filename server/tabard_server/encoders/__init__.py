# SPDX-License-Identifier: Apache-2.0
"""The room of the learned encoders: models on this machine that turn pictures into vectors.

In: a local path and what it is for. Out: encoders for `judgement`. Nothing is ever downloaded; what
a path holds is looked at without a model library, so that a slip is answered before a start.
"""
