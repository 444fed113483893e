# SPDX-License-Identifier: Apache-2.0
"""The reference says every call, field and value with the words of its comment."""

import pytest
from deploy.site.proto_pages import pages
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from google.protobuf.text_format import Parse

INK = """
name: "tabard/v1/ink_service.proto"
package: "tabard.v1"
syntax: "proto3"
message_type {
  name: "DrawRequest"
  field {
    name: "color" number: 1 label: LABEL_OPTIONAL type: TYPE_ENUM type_name: ".tabard.v1.Color"
  }
  field { name: "tags" number: 3 label: LABEL_REPEATED type: TYPE_STRING }
  field {
    name: "names" number: 4 label: LABEL_REPEATED type: TYPE_MESSAGE
    type_name: ".tabard.v1.DrawRequest.NamesEntry"
  }
  nested_type {
    name: "NamesEntry"
    field { name: "key" number: 1 label: LABEL_OPTIONAL type: TYPE_STRING }
    field { name: "value" number: 2 label: LABEL_OPTIONAL type: TYPE_UINT32 }
    options { map_entry: true }
  }
}
service {
  name: "InkService"
  method {
    name: "Draw" input_type: ".tabard.v1.DrawRequest" output_type: ".google.protobuf.Empty"
    server_streaming: true
  }
}
source_code_info {
  location { path: 12 leading_detached_comments: " SPDX-License-Identifier: Apache-2.0\\n Ink.\\n" }
  location { path: 6 path: 0 path: 2 path: 0 leading_comments: " Draw `a|b` in <ink>.\\n" }
  location { path: 4 path: 0 path: 2 path: 1 leading_comments: " Words, like `a|b`\\n or c|d.\\n" }
  location { path: 4 path: 0 path: 2 path: 0 trailing_comments: " Its color.\\n" }
}
"""
COLOR = """
name: "tabard/v1/color.proto"
package: "tabard.v1"
enum_type { name: "Color" value { name: "COLOR_UNSPECIFIED" number: 0 } }
"""


def described(*texts: str) -> FileDescriptorSet:
    return FileDescriptorSet(file=[Parse(text, FileDescriptorProto()) for text in texts])


def test_services_come_first() -> None:
    """A page a file, named after it, and titled after its service."""
    other = 'name: "google/protobuf/empty.proto" package: "google.protobuf"'

    found = pages(described(other, COLOR, INK))

    assert [(page.name, page.title) for page in found] == [
        ("ink_service", "InkService"),
        ("color", "color"),
    ]


def test_comments_are_the_words() -> None:
    """What the file says of itself, of calls and of fields, without its licence line."""
    page = pages(described(COLOR, INK))[0].text

    assert "\nInk.\n" in page
    assert "SPDX" not in page
    assert "[DrawRequest](ink_service.md#DrawRequest) → stream of `google.protobuf.Empty`" in page
    assert "Draw `a|b` in \\<ink>." in page
    assert "| `color` | [Color](color.md#Color) | 1 | Its color. |" in page
    assert "| `tags` | repeated string | 3 | Words, like `a\\|b` or c\\|d. |" in page
    assert "| `names` | map of string to uint32 | 4 |  |" in page
    assert "NamesEntry" not in page


def test_mute_descriptors_are_refused() -> None:
    """Descriptors without comments would make a reference without words."""
    with pytest.raises(ValueError, match="include_source_info"):
        pages(described(COLOR))
