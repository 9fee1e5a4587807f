"""Where the US states lie on the clock: every IANA zone that a part of the state keeps."""

from collections.abc import Mapping

_EASTERN, _CENTRAL, _MOUNTAIN, _PACIFIC = (
    "America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles"
)  # fmt: skip

STATE_ZONES: Mapping[str, tuple[str, ...]] = {
    "AL": (_CENTRAL, _EASTERN),  # Phenix City keeps Georgia's time
    "AK": ("America/Anchorage", "America/Adak"), "AZ": ("America/Phoenix", _MOUNTAIN), "AR": (_CENTRAL,),
    "CA": (_PACIFIC,), "CO": (_MOUNTAIN,), "CT": (_EASTERN,), "DC": (_EASTERN,), "DE": (_EASTERN,),
    "FL": (_EASTERN, _CENTRAL), "GA": (_EASTERN,), "HI": ("Pacific/Honolulu",), "ID": (_MOUNTAIN, _PACIFIC),
    "IL": (_CENTRAL,), "IN": (_EASTERN, _CENTRAL), "IA": (_CENTRAL,), "KS": (_CENTRAL, _MOUNTAIN),
    "KY": (_EASTERN, _CENTRAL), "LA": (_CENTRAL,), "ME": (_EASTERN,), "MD": (_EASTERN,), "MA": (_EASTERN,),
    "MI": (_EASTERN, _CENTRAL), "MN": (_CENTRAL,), "MS": (_CENTRAL,), "MO": (_CENTRAL,), "MT": (_MOUNTAIN,),
    "NE": (_CENTRAL, _MOUNTAIN), "NV": (_PACIFIC, _MOUNTAIN), "NH": (_EASTERN,), "NJ": (_EASTERN,),
    "NM": (_MOUNTAIN,), "NY": (_EASTERN,), "NC": (_EASTERN,), "ND": (_CENTRAL, _MOUNTAIN), "OH": (_EASTERN,),
    "OK": (_CENTRAL, _MOUNTAIN),  # Kenton keeps New Mexico's time
    "OR": (_PACIFIC, _MOUNTAIN), "PA": (_EASTERN,), "RI": (_EASTERN,), "SC": (_EASTERN,),
    "SD": (_CENTRAL, _MOUNTAIN), "TN": (_CENTRAL, _EASTERN), "TX": (_CENTRAL, _MOUNTAIN), "UT": (_MOUNTAIN,),
    "VT": (_EASTERN,), "VA": (_EASTERN,), "WA": (_PACIFIC,), "WV": (_EASTERN,), "WI": (_CENTRAL,),
    "WY": (_MOUNTAIN,), "PR": ("America/Puerto_Rico",), "VI": ("America/St_Thomas",), "GU": ("Pacific/Guam",),
    "AS": ("Pacific/Pago_Pago",), "MP": ("Pacific/Saipan",),
}  # fmt: skip

ZONES_OF_THE_FIFTY: tuple[str, ...] = (
    _EASTERN, _CENTRAL, _MOUNTAIN, "America/Phoenix", _PACIFIC, "America/Anchorage", "America/Adak",
    "Pacific/Honolulu",
)  # fmt: skip
"""Where an American of whom nothing is known may be; the territories always show in a number's prefix."""

SAME_CLOCK: Mapping[str, str] = {
    "US/Eastern": _EASTERN, "America/Detroit": _EASTERN, "America/Kentucky/Louisville": _EASTERN,
    "America/Kentucky/Monticello": _EASTERN, "America/Indiana/Indianapolis": _EASTERN,
    "America/Indianapolis": _EASTERN, "US/Central": _CENTRAL, "America/Menominee": _CENTRAL,
    "America/Indiana/Knox": _CENTRAL, "America/North_Dakota/Center": _CENTRAL, "US/Mountain": _MOUNTAIN,
    "America/Boise": _MOUNTAIN, "US/Pacific": _PACIFIC, "US/Arizona": "America/Phoenix",
    "US/Alaska": "America/Anchorage", "America/Juneau": "America/Anchorage", "US/Hawaii": "Pacific/Honolulu",
}  # fmt: skip
"""Other names of the same clocks, so that a zone leads to its states."""
