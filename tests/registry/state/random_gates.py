# SPDX-License-Identifier: Apache-2.0
"""What a random log says of gates, and of what they are held against."""

from hypothesis import strategies as st

from tabard_registry.release.bounds import BOUND_NAMES

measurements = st.builds(
    lambda low, width, unchecked: {
        "figures": {"style": [low, low + width], "broken": [0, 0]},
        "unchecked": unchecked,
        "bounds": dict.fromkeys(BOUND_NAMES, 1),
    },
    st.sampled_from([0.0, 0.4, 0.8]),
    st.sampled_from([-0.1, 0.2]),
    st.sampled_from([[], ["drift"], ["nothing"]]),
)


gates = st.builds(
    lambda success, checks, reviews, later: {
        "require_success": success,
        "require_checks": checks,
        "reviews": reviews,
        **later,
    },
    st.booleans(),
    st.booleans(),
    st.integers(0, 2),
    st.fixed_dictionaries(
        {},
        optional={
            "promote_on_success": st.booleans(),
            "bounds": st.dictionaries(st.sampled_from(["style_min", "drift_max"]), st.just(0.5)),
        },
    ),
)
