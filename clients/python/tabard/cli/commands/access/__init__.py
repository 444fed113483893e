# SPDX-License-Identifier: Apache-2.0
"""Say who you are to a server, and who may do what there."""

TITLE = "Access"
COMMANDS = {
    "login": "Keep the address of a server and your token for it in a profile.",
    "logout": "Forget a profile.",
    "policy": "Say what a namespace asks for: privacy, identity, signatures, promotions.",
    "token": "Make, list and revoke the tokens of a registry.",
    "whoami": "Show who you are to the server, and what you may do there.",
}
