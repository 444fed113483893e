# SPDX-License-Identifier: Apache-2.0
"""The room where a release is drawn and judged before people see it.

In: a release, what it is measured against, a grid. Out: pictures of the same prompts and seeds,
side by side, then scores, a verdict and a report. Draws by `generation`, as everybody does, and
behind everybody; judges by `judgement`; decides nothing.
"""
