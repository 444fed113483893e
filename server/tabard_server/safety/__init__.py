# SPDX-License-Identifier: Apache-2.0
"""The room of the safety classifier: a model on this machine that looks at finished pictures.

In: a local path, labels with thresholds, a policy. Out: a verdict on each picture before its caller
is sent it. Nothing is ever downloaded; what is not looked at is not sent.
"""
