# SPDX-License-Identifier: Apache-2.0
"""The registry's values as the SDK hands them out; what happened is in `history`.

One file for each kind of answer: a command waits for every class that is made.
"""
