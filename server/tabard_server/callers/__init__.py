# SPDX-License-Identifier: Apache-2.0
"""What one caller can hold: every place has a bound, and nobody has all of them.

In: callers, as a door can tell them apart, and what they want to do. Out: places, or a refusal that
says when to come back. Knows no protocol and none of the work.
"""
