# SPDX-License-Identifier: Apache-2.0
"""Tabard's registry: versioned adapters in a folder or a bucket, with channels and rollback.

A library: names and digests in, releases and verified bytes out. No gRPC, no torch.
"""

from tabard_registry.acts.author import Author
from tabard_registry.content.canonical import (
    Canonical,
    Change,
    Layer,
    read_canonical,
    write_canonical,
)
from tabard_registry.errors import (
    AlreadyExists,
    CorruptRegistry,
    Forbidden,
    IntakeRefused,
    InvalidField,
    InvalidName,
    NotFound,
    PreconditionFailed,
    RegistryError,
    StoreUnavailable,
    UnusableRegistry,
)
from tabard_registry.identity.identity import ANYBODY, Identity, Proof
from tabard_registry.identity.roles import EVERYTHING, Grants, Role
from tabard_registry.identity.tokens import NewToken, Token, hash_of, parse_secret, registry_mark
from tabard_registry.index import SearchHit
from tabard_registry.index.queries import Serving
from tabard_registry.intake import check
from tabard_registry.intake.files.limits import IntakeLimits
from tabard_registry.intake.layers.checked import Checked
from tabard_registry.intake.profile import BaseProfile, ModuleShape
from tabard_registry.log.records import Action, AppliedRecord, Effect, Record
from tabard_registry.refs.digest import Digest, sha256_bytes, sha256_file
from tabard_registry.refs.names import (
    DEFAULT_CHANNEL,
    AdapterName,
    AdapterRef,
    ByChannel,
    ByDigest,
    ByVersion,
)
from tabard_registry.refs.semver import Version
from tabard_registry.registry import Registry
from tabard_registry.release.history import HistoryEntry
from tabard_registry.release.keys import Key, Policy
from tabard_registry.release.manifest import (
    BlobRef,
    ChangeTarget,
    Manifest,
    Member,
    Target,
    TokenVectors,
)
from tabard_registry.release.release import (
    ABSENT,
    Absent,
    Adapter,
    Channel,
    ChannelMove,
    Published,
    Release,
    ReleaseDraft,
)
from tabard_registry.report import Problem, Report
from tabard_registry.state.state import State

__all__ = [
    "ABSENT",
    "ANYBODY",
    "DEFAULT_CHANNEL",
    "EVERYTHING",
    "Absent",
    "Action",
    "Adapter",
    "AdapterName",
    "AdapterRef",
    "AlreadyExists",
    "AppliedRecord",
    "Author",
    "BaseProfile",
    "BlobRef",
    "ByChannel",
    "ByDigest",
    "ByVersion",
    "Canonical",
    "Change",
    "ChangeTarget",
    "Channel",
    "ChannelMove",
    "Checked",
    "CorruptRegistry",
    "Digest",
    "Effect",
    "Forbidden",
    "Grants",
    "HistoryEntry",
    "Identity",
    "IntakeLimits",
    "IntakeRefused",
    "InvalidField",
    "InvalidName",
    "Key",
    "Layer",
    "Manifest",
    "Member",
    "ModuleShape",
    "NewToken",
    "NotFound",
    "Policy",
    "PreconditionFailed",
    "Problem",
    "Proof",
    "Published",
    "Record",
    "Registry",
    "RegistryError",
    "Release",
    "ReleaseDraft",
    "Report",
    "Role",
    "SearchHit",
    "Serving",
    "State",
    "StoreUnavailable",
    "Target",
    "Token",
    "TokenVectors",
    "UnusableRegistry",
    "Version",
    "check",
    "hash_of",
    "parse_secret",
    "read_canonical",
    "registry_mark",
    "sha256_bytes",
    "sha256_file",
    "write_canonical",
]
