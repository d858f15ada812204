"""What LOINC codes mean: a closed table. What is not listed is not understood, and never guessed (LAB-12, LAB-13)."""

from types import MappingProxyType
from typing import Final

_TABLE: Final = {
    "alt": "1742-6 1743-4 1744-2 76625-3 77144-4",
    "ast": "1920-8 30239-8 88112-8",
    "alp": "6768-6 77141-0",
    "bilirubin": "1975-2 14631-6 42719-5 54363-7 59827-6 59828-4 77137-8 89871-8 89872-6 97770-2",
    "bilirubin_direct": "1968-7 14629-0",
    "bilirubin_conjugated": "15152-2 29760-6",
    "bilirubin_indirect": "1971-1",
    "ggt": "2324-2",
    "ldh": "2532-0 14804-9 14805-6",
    "lipase": "3040-3",
    "amylase": "1798-8",
    "potassium": "2823-3 6298-4 75940-7 77142-8 39789-3 32713-0 39790-1",
    "magnesium": "19123-9 2601-3 21377-7 2593-2",
    "calcium": "17861-6 2000-8 49765-1 1996-8",
    "calcium_corrected": "29265-6",
    "calcium_ionised": "1995-0 1994-3 17863-2 12180-6 17864-0",
    "sodium": "2951-2 2947-0 77139-4",
    "creatinine": "2160-0 14682-9 38483-4 59826-8 21232-4 77140-2",
    "egfr": "98979-8 33914-3 62238-1 77147-7",
    "urate": "3084-1 14933-6",
    "phosphate": "2777-1 14879-1",
    "albumin": "1751-7 61151-7 61152-5",
    "inr": "6301-6 34714-6 46418-0 38875-1",
    "fibrinogen": "3255-7",
    "ferritin": "2276-4",
    "haemoglobin": "718-7 59260-0 20509-6 30313-1 30350-3",
    "wbc": "6690-2 26464-8 804-5 12227-5 33256-9 49498-9",
    "platelets": "777-3 26515-7 778-1 13056-7 26516-5 97995-5 49497-1",
    "anc": "751-8 753-4 26499-4 768-2 30451-9",
    "neutrophils_percent": "770-8 26511-6 23761-0",
    "blasts_percent": "26446-5 709-6 34922-5",
    "blasts": "30376-8 708-8 35050-4",
    "qt": "8634-8",
    "qtc": "8636-3",
    "qtcf": "76634-5",
    "qtcb": "76635-2",
    "rr": "8637-1",
    "qrs": "8633-0",
    "pr": "8625-6",
    "heart_rate": "8867-4",
    "hcg": "21198-7 19080-1 2106-3 2118-8 2110-5 2112-1 80384-1 80385-8 45194-8",
    "weight": "29463-7 3141-9",
    "height": "8302-2 3137-7",
    "bsa": "8277-6 3140-1",
    "systolic": "8480-6",
    "diastolic": "8462-4",
    "temperature": "8310-5",
    "oxygen_saturation": "59410-1 2708-6",
}

LOINC: Final[dict[str, str]] = {code: analyte for analyte, codes in _TABLE.items() for code in codes.split()}
"""LOINC code -> analyte (clinical reference §9.1 and part M). No code of it fails its check digit."""

UNVERIFIED_CODES: Final = frozenset({"88112-8", "804-5", "778-1", "2106-3", "2118-8", "3140-1", "77144-4", "77142-8"})
"""Codes whose own name was not read in a source; a site checks them before it sends them."""

BOUND_ONLY: Final = MappingProxyType(
    {
        **dict.fromkeys(("768-2", "30451-9"), ">="),  # segmented neutrophils: the band forms come on top
        **dict.fromkeys(("13056-7", "26516-5", "49497-1"), "<="),  # platelets in plasma, or estimated
        "49498-9": ">=",  # leukocytes estimated: never few enough for CYT-02
    }
)
"""Codes that measure less than the analyte that they are read as: a bound of it, on the side on which it may close only."""

NEUTROPHILS_BY_PARTS: Final = frozenset({"768-2", "30451-9"})
"""Segmented neutrophils: a whole count of the same draw comes before them."""

PYRIDOXAL_PHOSPHATE: Final = MappingProxyType(
    {"1743-4": "with", "30239-8": "with", "1744-2": "without", "88112-8": "without"}
)
"""LAB-02: whether ALT or AST was measured with pyridoxal-5'-phosphate, where the code says so."""

ASKED_ABOUT: Final = MappingProxyType({"30394-1": "anc"})
"""Codes that come near an analyte and are not it, such as granulocytes: a person says what they mean."""

_SOMETHING_ELSE: Final = {
    "electrolytes, glucose, urea": "2075-0 2069-3 41650-3 1963-8 2028-9 20565-8 33037-3 10466-1 2339-0 2345-7 2340-8 41653-7"
    " 15074-8 14749-6 1554-5 1558-6 3094-0 6299-2 22664-7 14937-7 2524-7",
    "muscle and heart": "2157-6 13969-1 32673-6 10839-9 6598-7 67151-1 89579-7 33762-6 30934-4 42637-9 10230-1",
    "proteins and inflammation": "2885-2 10834-0 1988-5 30522-7 33959-8 75241-0 2458-8 2465-3 2472-9 2857-1",
    "lipids, HbA1c, thyroid": "2093-3 2085-9 2089-1 13457-7 18262-6 2571-8 14647-2 14927-8 4548-4 17856-6 59261-8 3016-3"
    " 3024-7 3051-0",
    "iron and vitamins": "2498-4 2500-7 2502-3 3034-6 2132-9 2284-8",
    "red cells": "789-8 26453-1 11273-0 4544-3 20570-8 787-2 30428-7 785-6 28539-5 786-4 28540-3 788-0 30385-9 21000-5"
    " 17849-1 4679-7 14196-0 58413-6 771-6 6742-1",
    "measures of platelets, large platelets": "32623-1 32207-3 34167-7 48386-7 96354-6",
    "other white cells": "731-0 26474-7 736-9 26478-8 742-7 26484-6 5905-5 26485-3 711-2 26449-9 713-8 26450-7 704-7"
    " 26444-0 706-2 30180-4 53115-2 71695-1 38518-7",
    "clotting": "5902-2 14979-9 3173-2 48065-7 3174-0",
    "urine and stool": "2888-6 2161-8 20505-4 5770-3 5792-7 5797-6 5794-3 5799-2 5802-4 5803-2 5804-0 5811-5 20454-5"
    " 25428-4 2514-8 57905-2",
    "blood gases, breathing, body, pain": "2019-8 2703-7 2744-1 3151-8 19994-3 9279-1 39156-5 85354-9 55284-4 8289-1 8287-5"
    " 9843-4 72514-3",
}
OTHERS: Final = frozenset(code for codes in _SOMETHING_ELSE.values() for code in codes.split())
"""Codes that certainly mean something that no rule reads: chloride, CK, large platelets … (LAB-13)."""


OF_URINE: Final = frozenset({"2106-3", "2112-1", "80384-1"})
"""Codes of the table that are measured in urine; all others are of blood, serum or plasma, or of the patient."""


def bound_of(loinc: str, comparator: str | None) -> str | None:
    """The comparator with which a result of this code is read: its own, or that of a code that measures a bound only."""
    bound = BOUND_ONLY.get(loinc)
    if bound is None:
        return comparator
    return bound[0] if comparator == bound[0] else bound


def analyte_of(loinc: str, method: str | None) -> str | None:
    """The analyte of a code; `None` for one that is not listed. LAB-01: a QTc counts as QTcF when its method says so."""
    analyte = LOINC.get(loinc)
    return "qtcf" if analyte == "qtc" and "fridericia" in (method or "").casefold() else analyte
