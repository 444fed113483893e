# SPDX-License-Identifier: Apache-2.0
"""Whether a release is as good as the one before it: scores, verdicts, a canary's evidence.

Pure functions of arrays and counts. Knows of no engine, registry, clock or file.
"""
