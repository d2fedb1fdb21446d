"""The scenarios, by subject. Importing this puts them all on the list."""

from . import account, automation, commands, documents, groups, limits, nodes, organizations, pages, sts

__all__ = [
    "account",
    "automation",
    "commands",
    "documents",
    "groups",
    "limits",
    "nodes",
    "organizations",
    "pages",
    "sts",
]
