"""What a site adds to the released protocols in its own file: words for units, stricter numbers, sign-offs (design §3)."""

from pydantic import Field

from models.base import Day, Name, Written


class Sender(Written):
    """One laboratory or machine as it names itself in its results."""

    aliases: dict[Name, Name] = Field(default_factory=dict)
    """Its word for a unit -> the UCUM unit (CONV-01)."""


class SignOff(Written):
    """Who answers at this site for exactly these bytes of a released protocol, and since when."""

    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    name: Name
    role: Name
    date: Day


class Site(Written):
    """The part of a site file that is no number of a protocol."""

    senders: dict[Name, Sender] = Field(default_factory=dict)
    signed: dict[Name, SignOff] = Field(default_factory=dict)
