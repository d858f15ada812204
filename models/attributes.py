"""Search attributes of a course, by name and type. Never a patient's identity: these are plain text on the server."""

SEARCH_ATTRIBUTES: dict[str, str] = {
    "CourseState": "Keyword",
    "GateVerdict": "Keyword",
    "ProtocolVersion": "Keyword",
    "HoldReason": "KeywordList",
    "CycleNumber": "Int",
    "CycleStartedAt": "Datetime",
    "StateSince": "Datetime",
    "NextDueAt": "Datetime",
    "Overdue": "Bool",
}

OF_COURSES = "WorkflowType IN ('TreatmentCycle', 'LiverMonitoring')"
"""The condition of a visibility query that finds the executions of courses and no other."""
