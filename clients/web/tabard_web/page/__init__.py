# SPDX-License-Identifier: Apache-2.0
"""The page: its files, the session of whoever looks at it, and the JSON that its screens ask for.

A door like the others, for a browser. What it shows and does is what the server tells and allows
the token of the session; without identity on the server there is no session.
"""
