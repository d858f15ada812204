"""What can stand in a chart. A fact is who said it, when it was true, when it was recorded, and what.

The `...Details` classes hold fields that a command and its fact share, so that they are written once.
Units and codes stay as the sender gave them; `clinical` understands them, so that a later rule set can re-read old facts.
"""

from models.facts.common import *
from models.facts.course import *
from models.facts.dose import *
from models.facts.fact import *
from models.facts.findings import *
from models.facts.laboratory import *
from models.facts.treatment import *
