# SPDX-License-Identifier: Apache-2.0
"""Who calls: from what a call shows to an identity, for as long as that counts.

In: a token, or the names of a client certificate. Out: an identity, or a refusal that says why.
Knows no protocol; what somebody may do is read off the identity by the doors.
"""
