"""What a course is bound to: a released protocol by name and hash, and the divergences that were acknowledged."""

from models.base import Frozen, Name, Words


class ProtocolPin(Frozen):
    """The protocol a course was started on: name with version, SHA-256 of the released file, and of the site's file."""

    name: Name
    sha256: str
    site_sha256: str | None = None


class Acknowledgement(Frozen):
    """The prescriber's acceptance of one named divergence from the label, with a reason (DIV-01, -03, -07)."""

    divergence: Name
    reason: Words
