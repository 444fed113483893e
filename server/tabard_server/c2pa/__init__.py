# SPDX-License-Identifier: Apache-2.0
"""The room of Content Credentials (C2PA): pictures signed as this server's, as the last thing.

In: files as they are written, and a certificate with its key. Out: the same files with a manifest
that says who made them and by what. `c2pa-python` is imported here alone, and only where it is on.
"""
