# SPDX-License-Identifier: Apache-2.0
"""The mark of a picture that a model has made, as the IPTC asks for it: XMP, readable by machines.

In: the chunks of a PNG that is written. Out: the same with one more. Says nothing of who or how.
"""

from xml.sax.saxutils import escape

from PIL import PngImagePlugin

XMP_CHUNK = "XML:com.adobe.xmp"
"""Keyword of the text chunk that holds XMP."""
_SOURCES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
TRAINED = f"{_SOURCES}trainedAlgorithmicMedia"
"""Drawn from words alone."""
COMPOSITE = f"{_SOURCES}compositeWithTrainedAlgorithmicMedia"
"""Drawn over a picture that was sent."""
NAMESPACE = "urn:tabard:provenance:1"
"""Of the provenance within XMP."""
_XMP = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
    '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" '
    'xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" '
    'Iptc4xmpExt:DigitalSourceType="{source}"{told}'
    "</rdf:RDF></x:xmpmeta>"
    '<?xpacket end="r"?>'
)


def add_marking(chunks: PngImagePlugin.PngInfo, *, is_composite: bool) -> None:
    """Add the mark behind all other texts; it stands before the pixels."""
    chunks.add_itxt(XMP_CHUNK, marked(is_composite=is_composite))


def marked(*, is_composite: bool, provenance_json: str = "") -> str:
    """Return XMP with the mark, and the provenance where the file has no other place for it."""
    told = "/>"
    if provenance_json:
        inner = f"<tabard:provenance>{escape(provenance_json)}</tabard:provenance>"
        told = f' xmlns:tabard="{NAMESPACE}">{inner}</rdf:Description>'
    return _XMP.format(source=source_of(is_composite=is_composite), told=told)


def source_of(*, is_composite: bool) -> str:
    """Return the IPTC's word for how a picture came to be."""
    return COMPOSITE if is_composite else TRAINED
