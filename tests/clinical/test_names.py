"""What words and units may name, in the languages of laboratories: they only ever close (LAB-12, LAB-13).

All patients are invented.
"""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from clinical.coding.codes import LOINC, OTHERS
from clinical.coding.meaning import READ, meaning
from clinical.coding.names import named, names_another
from clinical.coding.units import label, measured_in
from models.assessment import Verdict
from models.facts import NO_CODE, LabResult
from tests.factories import LABEL, PROTOCOLS
from tests.further.documents import SEVEN
from tests.further.language import D8, comes, measured
from tests.intake.samples import SAMPLES, needs_samples, sample

NAMES = {
    "alt": ("SGPT", "GPT (ALAT)", "Alanine aminotransferase [Enzymatic activity/volume]", "TGP", "Transaminase"),
    "ast": ("GOT", "Aspartat-Aminotransferase", "ASAT im Serum", "Liver enzyme"),
    "bilirubin": ("Bilirubin gesamt", "T-Bili", "Bilirrubina total", "Bilirubin, total"),
    "alp": ("Alkalische Phosphatase", "ALKP", "Phosphatase, alkaline", "Fosfatase alcalina", "Fosfataza alkaliczna"),
    "platelets": ("Thrombozyten", "PLT", "Platelets", "Plaquettes", "Płytki krwi", "Trombocyty", "血小板"),
    "anc": ("Neutrophile", "Granulocytes", "ANC (absolute)"),
    "haemoglobin": ("Hämoglobin", "Hb", "Hgb"),
    "wbc": ("Leukozyten", "White blood cells", "WBC estimate", "Leukocyty", "Krwinki białe"),
    "creatinine": ("Kreatinin", "CREA"),
    "potassium": ("Kalium", "K", "S-Potassium"),
    "lipase": ("Lipase i.S.",),
    "temperature": ("Temp. axillary", "Febre", "Lichaamstemperatuur", "Temperatuur"),
    "hcg": (
        *("beta-hCG in urine", "Pregnancy test, urine", "Test di gravidanza", "Teste de gravidez", "Zwangerschapstest"),
        *("Raskaustesti", "Test ciążowy", "βhCG", "Těhotenský test"),
    ),
}


LOCAL_NAMES = {
    "hcg": """bHCG; HCG+β; hCG+ß; HCGB; uHCG; sHCG; S-hCG; beta-HCG; Pregnancy; Urine pregnancy; Pregnancy, urine; UPT; Preg
        Last pregnancy test
        Preg test POC; Schwanger; Frühschwangerschaft; SS-Test; Gravid; Gravidität; Gravindex; Gestationstest; Choriongonadotropin
        Humanes Choriongonadotropin; Chorionic gonadotropin, human; Gonadotropine chorionique; Coriongonadotropina; TIG
        Gonadotropina corionica umana; Grossesse; Enceinte; Embarazada; Gestación; Incinta; Grávida; Gestante; Zwangerschap
        Ciąża; Ciężarna; Těhotenství; Test gravidity; Tehotenstvo; Svangerskap; Graviditetstest; Raskaus; Gebelik testi; Gebe
        Hamilelik; Koryonik gonadotropin; Беременна; Тест на беременность; Вагітність; ХГЧ; Хорионический гонадотропин
        Хоріонічний гонадотропін; Εγκυμοσύνη; Χοριακή γοναδοτροπίνη; 妊娠反応; 怀孕; Terhességi teszt""",
    "platelets": """Plts; PLQ; TRC; THRZ; Thr; Thro; Thrombos; Tromb; B-Trom; TPK; Thrombozytenzahl; Trombocytter; Blodplättar
        Piastrine; Plaquetas; Plaquettes sanguines; Destičky; Trombositler; Тромбоцитів; Αιμοπετάλια; Vérlemezke; Trombosyytit
        Bloedplaatjes; 血小板計数""",
    "anc": """NEUT#; NE#; NEU; Neut abs; PNN; Neutrofily; Neutrofile Granulocyten; Polynucléaires neutrophiles; Segmentkernige
        Segmentierte; Neutrófilos segmentados; Granulociti neutrofili; Nötrofil; Нейтрофилы; Нейтрофіли; Ουδετερόφιλα
        Neutrofiilit; 中性粒细胞; GRAN""",
    "wbc": """Leukos; Leuko; GB; Lkc; LPK; Globuli bianchi; Glóbulos blancos; Glóbulos brancos; Leucócitos; Witte bloedcellen
        Białe krwinki; Bílé krvinky; Vita blodkroppar; Valkosolut; Lökosit; Beyaz küre; Лейкоциты; Лейкоцити; Λευκά αιμοσφαίρια
        白细胞计数""",
    "blasts": "Blastes; Blasty; Blastit; Leukemic cells; Pathologische Zellen; Unreife Zellen; Atypische Lymphozyten; Бласты",
    "bilirubin": "T-Bil; BIL; Bil ges; Χολερυθρίνη ολική",
    "alp": "AP; PAL; ALP isoenzyme; ALP-Isoenzyme",
    "alt": "ALT1; GPT37; ГПТ; Glutamat-Pyruvat-Transaminase",
    "ast": "AspAT; GOT37",
    "ggt": "GGTP",
    "creatinine": "Krea; SCr; Κρεατινίνη",
    "lipase": "LIP; Lipaza; Lipáza",
    "amylase": "AMY; Pankreas-Amylase; Amyláza",
    "urate": "Urinezuur; Harnsr.; Kwas moczowy; Kyselina močová; Ουρικό οξύ",
    "temperature": "Körpertemp.; Teplota; Θερμοκρασία; Ruumiinlämpö",
}
"""What laboratories and wards call it beside a code of their own."""
NAMES_OF_ALL = [
    *((analyte, name) for analyte, names in NAMES.items() for name in names),
    *((analyte, name) for analyte, names in LOCAL_NAMES.items() for name in re.split(r"[;\n]\s*", names)),
]


@pytest.mark.parametrize(("analyte", "name"), NAMES_OF_ALL)
def test_a_name_that_fits_an_analyte_is_recognised_in_the_languages_of_laboratories(analyte: str, name: str) -> None:
    assert analyte in named(name)
    assert analyte in meaning(LabResult(loinc="99999-9", display=name, unit="?")).analytes
    assert analyte in meaning(LabResult(loinc=NO_CODE, codes=("urn:lab|L1",), display=name)).analytes


@pytest.mark.parametrize(
    ("text", "analyte"),
    [("400 U/L", "alt"), ("> 400,5 U/L", "alt"), ("8 10*9/L", "platelets"), ("400", None), ("about 400", None)],
)
def test_a_unit_within_the_words_of_an_unknown_result_is_a_unit(text: str, analyte: str | None) -> None:
    meant = meaning(LabResult(loinc=NO_CODE, codes=("urn:lab|Q18",), display="Q 18", text=text))
    assert (analyte in meant.analytes) if analyte else not meant.analytes


@pytest.mark.parametrize(
    "name",
    [
        *(
            "Vitamin K",
            "Hemoglobin A1c/Hemoglobin.total in Blood",
            "Platelet mean volume",
            "Platelets Large",
            "CA 19-9",
        ),
        *(
            "Albumin in Urine",
            "Creatinine clearance",
            "Leukocyte esterase",
            "Lymphocytes/100 leukocytes in Blood",
            "MCHC",
        ),
        *("Acid phosphatase", "Bilirubin in CSF", "Chlorid", "Troponin T", "Urea nitrogen"),
        *("XR Chest 2 Views", "Echokardiographie", "Röntgen Thorax", "US Abdomen ultrasound", "CT Schädel"),
        *("Lymphos", "Lymphocytes abs", "Limfocyty", "Monozyten", "MONO#", "Eos", "Basophile", "NRBC", "Normoblasten"),
        *(
            "Erythrozyten",
            "Эритроциты",
            "Retikulozyten",
            "Thrombozytenvolumen",
            "Leukozytenesterase",
            "LDL",
            "CK isoenzymes",
        ),
    ],
)
def test_a_name_of_something_else_is_not_taken_for_an_analyte(name: str) -> None:
    assert not named(name)
    assert names_another(name)
    assert not meaning(LabResult(loinc="99999-9", display=name, unit="mmol/L")).analytes


COUNTED = """Tsd/µl; Gpt/l; x10E9/l; 10e9/L; E9/L; Mrd/L; 1000/ul; cells/uL; /cumm; tys/ul; Giga/l; G/L; K/ul; ×10⁹/L; 10³/µL
    Thou/uL; тыс/мкл; Zellen/µl; mil/mm3; cells/mm³; 10^6/L"""


@pytest.mark.parametrize("unit", re.split(r"[;\n]\s*", COUNTED))
def test_a_unit_that_counts_cells_closes_for_the_counts_under_any_name(unit: str) -> None:
    found = meaning(LabResult(loinc=NO_CODE, codes=("urn:lab|4711",), display="Q 18", unit=unit)).analytes
    assert {"platelets", "anc", "wbc"} <= found
    other = LabResult(loinc=NO_CODE, codes=("urn:lab|4711",), display="Lymphozyten", unit=unit)
    assert not meaning(other).analytes


@pytest.mark.parametrize("unit", ["T/L", "10*12/L", "M/uL", "/HPF", "mL", "/100", "fL"])
def test_a_unit_of_something_else_counts_no_cells_that_a_rule_reads(unit: str) -> None:
    assert "platelets" not in measured_in(unit)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("name", ["bHCG", "hCG+ß", "Schwanger", "Incinta", "Беременна", "妊娠反応"])
def test_a_positive_pregnancy_test_under_a_local_code_closes_the_gate(name: str, protocol: str) -> None:
    said = {"code": {"coding": [{"system": "urn:lab", "code": "4711", "display": name}]}, "valueString": "positive"}
    course = D8(protocol)
    comes({**{k: v for k, v in measured("ast", "1", SEVEN).items() if k != "valueQuantity"}, **said})(course)
    assert course.card.verdict is not Verdict.MAY_AUTHORISE
    assert [f for f in course.card.standing if f.rule == "LAB-12" and "hCG" in f.reason]


@pytest.mark.parametrize("told", ["Pregnant", "Pregnancy test positive", "Schwanger", "беременна"])
def test_a_value_that_says_pregnant_closes_whatever_its_question_is_called(told: str) -> None:
    asked = LabResult(loinc=NO_CODE, codes=("urn:lab|4711",), display="Status", text=told)
    assert meaning(asked).analytes == {"hcg"}


@pytest.mark.parametrize(
    "told", ["Not pregnant", "nicht schwanger", "no", "Contraindicated in pregnancy or breast feeding"]
)
def test_a_value_that_says_no_pregnancy_closes_nothing(told: str) -> None:
    asked = LabResult(loinc=NO_CODE, codes=("urn:lab|4711",), display="Status", text=told)
    assert not meaning(asked).analytes


LATER = {"alt": "GPT", "platelets": "PLT", "potassium": "Kalium", "lipase": "Lipase", "anc": "NEUT#"}


@pytest.mark.parametrize("analyte", LATER)
def test_what_ends_an_unknown_result_is_said_as_it_is_a_person_or_a_later_usable_one(analyte: str) -> None:
    course = D8(LABEL)
    local = {"coding": [{"system": "urn:lab", "code": "4711", "display": LATER[analyte]}]}
    good = {"alt": "30", "platelets": "150", "potassium": "4.2", "lipase": "30", "anc": "3"}[analyte]
    comes({**measured(analyte, good, SEVEN), "code": local})(course)
    (asked,) = [f for f in course.card.standing if f.rule == "LAB-12"]
    assert (asked.clears or "").endswith(f", or a usable {label(analyte)} of a later draw")
    comes(measured(analyte, good, SEVEN + timedelta(minutes=30)))(course)
    assert not [f for f in course.card.standing if f.rule == "LAB-12"]


def test_one_that_may_be_several_asks_for_each_of_them() -> None:
    course = D8(LABEL)
    local = {"coding": [{"system": "urn:lab", "code": "4711", "display": "Transaminase"}]}
    comes({**measured("alt", "30", SEVEN), "code": local})(course)
    for analyte, left in (("alt", "AST"), ("ast", None)):
        comes(measured(analyte, "30", SEVEN + timedelta(minutes=30)))(course)
        asked = [f.reason.partition(":")[0] for f in course.card.standing if f.rule == "LAB-12"]
        assert asked == ([left] if left else [])


def called_in_the_samples() -> Iterator[tuple[str | None, str | None, str, str | None]]:
    """System, code, name and unit of every observation of the sample documents, each once."""
    whole = ("synthea-r4-lft/*.json.gz", "us-core-9.0.0/examples/*.json", "hl7v2-microsoft/expected-fhir/*.json")
    documents = [path for where in whole for path in SAMPLES.glob(where)]
    found: set[tuple[str | None, str | None, str, str | None]] = set()
    waiting: list[Any] = [sample(path) for path in (*documents, *SAMPLES.glob("fhir-r4-examples/*.json"))]
    while waiting:
        one = waiting.pop()
        waiting += one.values() if isinstance(one, dict) else one if isinstance(one, list) else ()
        if (
            isinstance(one, dict)
            and isinstance(one.get("code"), dict)
            and one.get("resourceType") in (None, "Observation")
        ):
            coding = one["code"].get("coding") or [{}]
            names = {one["code"].get("text"), *(c.get("display") for c in coding)} - {None}
            unit = (one.get("valueQuantity") or {}).get("unit")
            found |= {(c.get("system"), c.get("code"), name, unit) for c in coding for name in names}
    yield from found


ASKED_IN_THE_SAMPLES = {
    *(
        ("Body Weight", "weight"),
        ("Body weight", "weight"),
        ("Body weight Measured", "weight"),
        ("Component", "weight"),
    ),
    *(("LEUKOCYTES", "wbc"), ("PLATELETS", "platelets")),
    ("MDC_PULS_OXIM_SAT_O2", "blasts_percent"),
    *(("Pregnancy Status", "hcg"), ("Pregnancy status", "hcg"), ("Oral temperature", "temperature")),
}


@needs_samples
def test_no_name_in_years_of_a_real_chart_closes_for_what_it_is_not() -> None:
    """All that the sample data call their results, and what of it is asked about."""
    asked = set()
    for system, code, name, unit in sorted(called_in_the_samples(), key=str):
        codes = None if code is None or system == "http://loinc.org" else (f"{system}|{code}",)
        loinc_code = code if code is not None and codes is None else NO_CODE
        meant = meaning(LabResult(loinc=loinc_code, codes=codes, display=name, unit=unit))
        asked |= {(name, *sorted(meant.analytes))} if meant.why and len(meant.analytes) < len(READ) else set()
    assert asked == ASKED_IN_THE_SAMPLES


@pytest.mark.parametrize(
    "name",
    [
        *(
            "Number of pregnancies",
            "Pregnancy intention in the next year",
            "History of pregnancy",
            "Pregnancy-associated protein A",
        ),
        *("Pregabalin", "Pregnenolone", "Gonadotropin releasing hormone", "Neutral fat", "Thrombophilia", "Gravidity"),
    ],
)
def test_a_name_that_only_resembles_one_names_no_analyte(name: str) -> None:
    assert not named(name)


def test_a_share_of_cells_is_no_count_and_what_no_rule_reads_closes_nothing() -> None:
    for name, unit in (("NEUT%", "%"), ("Neutrophile %", None), ("Oxygen saturation", "%"), ("SpO2", "%")):
        assert not meaning(LabResult(loinc=NO_CODE, codes=("urn:lab|1",), display=name, unit=unit)).analytes, name
    assert meaning(LabResult(loinc=NO_CODE, codes=("urn:lab|1",), display="Blasten %", unit="%")).analytes == {
        "blasts_percent"
    }
    assert "anc" in meaning(LabResult(loinc=NO_CODE, codes=("urn:lab|1",), display="NEUT%", unit="G/L")).analytes


def test_a_unit_alone_counts_where_neither_code_nor_name_says_otherwise() -> None:
    assert "alt" in meaning(LabResult(loinc="99999-9", unit="U/L")).analytes
    assert "platelets" in meaning(LabResult(loinc="99999-9", display="99999-9", unit="x10^9/L")).analytes
    assert not meaning(LabResult(loinc="2157-6", unit="U/L")).analytes
    assert not meaning(LabResult(loinc="99999-9", unit="fL")).analytes
    assert not OTHERS & LOINC.keys()
