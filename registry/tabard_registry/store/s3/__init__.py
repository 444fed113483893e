# SPDX-License-Identifier: Apache-2.0
"""A store in an S3 bucket, through boto3: the only room that knows boto3.

Keys and bytes come in, outcomes and `RegistryError`s go out. Needs the extra `registry`.
"""

from tabard_registry.store.s3.bucket import S3Limits
from tabard_registry.store.s3.store import S3Store

__all__ = ["S3Limits", "S3Store"]
