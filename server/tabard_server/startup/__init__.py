# SPDX-License-Identifier: Apache-2.0
"""The start of a server: first what can be refused at once, then what takes long."""
