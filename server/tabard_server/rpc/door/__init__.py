# SPDX-License-Identifier: Apache-2.0
"""The gRPC door: who calls, what may be sent, how long anybody is waited for."""
