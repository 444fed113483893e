# SPDX-License-Identifier: Apache-2.0
"""Random names, versions and refs, all sound."""

from hypothesis import strategies as st

from tabard_registry import AdapterName, AdapterRef, ByChannel, ByDigest, ByVersion, Version
from tabard_registry.refs.names import WEIGHT_ABS_MAX

segments = st.from_regex(r"[a-z0-9]([a-z0-9._-]{0,20}[a-z0-9])?", fullmatch=True)


versions = st.builds(
    Version,
    major=st.integers(0, 99),
    minor=st.integers(0, 99),
    patch=st.integers(0, 99),
    prerelease=st.lists(st.sampled_from(["rc", "1", "a-b", "0a"]), max_size=3).map(tuple),
)


selectors = st.one_of(
    st.from_regex(r"[a-z]([a-z0-9._-]{0,20}[a-z0-9])?", fullmatch=True).map(ByChannel),
    versions.map(ByVersion),
    st.from_regex(r"[0-9a-f]{12,64}", fullmatch=True).map(ByDigest),
)


refs = st.builds(
    AdapterRef,
    adapter=st.builds(AdapterName, segments, segments),
    selector=selectors,
    weight=st.floats(-WEIGHT_ABS_MAX, WEIGHT_ABS_MAX),
)
