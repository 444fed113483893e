# SPDX-License-Identifier: Apache-2.0
"""The mark of a picture that a model has made, as the IPTC asks for it: XMP, readable by machines.

In: the chunks of a PNG that is written. Out: the same with one more. Says nothing of who or how.
"""

from PIL import PngImagePlugin

XMP_CHUNK = "XML:com.adobe.xmp"
"""Keyword of the text chunk that holds XMP."""
_SOURCES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
TRAINED = f"{_SOURCES}trainedAlgorithmicMedia"
"""Drawn from words alone."""
COMPOSITE = f"{_SOURCES}compositeWithTrainedAlgorithmicMedia"
"""Drawn over a picture that was sent."""
_XMP = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
    '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" '
    'xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" '
    'Iptc4xmpExt:DigitalSourceType="{source}"/>'
    "</rdf:RDF></x:xmpmeta>"
    '<?xpacket end="r"?>'
)


def add_marking(chunks: PngImagePlugin.PngInfo, *, is_composite: bool) -> None:
    """Add the mark behind all other texts; it stands before the pixels."""
    source = COMPOSITE if is_composite else TRAINED
    chunks.add_itxt(XMP_CHUNK, _XMP.format(source=source))
